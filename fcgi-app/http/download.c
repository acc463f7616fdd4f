#include "http/download.h"

#include "base/buffer.h"
#include "http/connection.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* RFC 6266: a plain name for all, and the exact one in UTF-8. */
static void
write_disposition(struct buffer *head, const char *name)
{
	const char *at;

	buffer_text(head, "Content-Disposition: attachment; filename=\"");
	for (at = name; *at != '\0'; at++)
		buffer_char(head,
		    isalnum((unsigned char)*at) || strchr("._-", *at) != NULL
			? *at
			: '_');
	buffer_text(head, "\"; filename*=UTF-8''");
	for (at = name; *at != '\0'; at++) {
		if (isalnum((unsigned char)*at) || strchr("._-", *at) != NULL)
			buffer_char(head, *at);
		else
			buffer_printf(head, "%%%02X", (unsigned char)*at);
	}
	buffer_text(head, "\r\n");
}

static int
send_head(struct request *request, const struct download *download)
{
	auto_buffer struct buffer head = BUFFER(16384);

	buffer_printf(&head,
	    "Status: 200 OK\r\nX-Request-Id: %s\r\nContent-Type: %s\r\n"
	    "Content-Length: %lld\r\nCache-Control: no-store\r\n"
	    "Content-Security-Policy: sandbox; default-src 'none'\r\n",
	    request->id,
	    download->type ? download->type : "application/octet-stream",
	    (long long)download->size);
	write_disposition(&head, download->name);
	buffer_text(&head, "\r\n");
	return connection_write(request->connection, head.bytes, head.length);
}

static int
send_bytes(struct request *request, const struct download *download)
{
	char chunk[16384];
	int64_t left = download->size;

	while (left > 0) {
		size_t wanted =
		    left < (int64_t)sizeof chunk ? (size_t)left : sizeof chunk;
		ssize_t got = read(download->fd, chunk, wanted);

		if (got < 0 && errno == EINTR)
			continue;
		/* It became shorter meanwhile. */
		if (got <= 0)
			return -1;
		if (connection_write(request->connection, chunk, (size_t)got) <
		    0)
			return -1;
		left -= got;
	}
	return 0;
}

int
reply_download(struct request *request, struct reply *reply,
    const struct download *download)
{
	reply->streamed = true;
	reply->status = 200;
	if (send_head(request, download) == 0 && !request->is_head)
		send_bytes(request, download);
	return 0;
}
