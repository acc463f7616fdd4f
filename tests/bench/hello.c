/*
 * The least that a FastCGI program can be: what the service is measured
 * against. Started like a pool process, with the number of its threads as the
 * only argument; every request gets the same small JSON.
 */

#include <fcgiapp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define LISTENING_SOCKET 0
#define THREADS_MAXIMUM 256

static const char answer[] = "Status: 200 OK\r\n"
			     "Content-Type: application/json\r\n"
			     "Content-Length: 18\r\n"
			     "\r\n"
			     "{\"hello\":\"world\"}\n";

static void *
answer_requests(void *unused)
{
	FCGX_Request request;

	(void)unused;
	FCGX_InitRequest(&request, LISTENING_SOCKET, 0);
	while (FCGX_Accept_r(&request) == 0) {
		FCGX_PutStr(answer, (int)sizeof answer - 1, request.out);
		FCGX_Finish_r(&request);
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	int threads = argc == 2 ? atoi(argv[1]) : 0;
	pthread_t thread;
	int i;

	if (threads < 1 || threads > THREADS_MAXIMUM) {
		fputs("Usage: hello THREADS\n", stderr);
		return 2;
	}
	if (FCGX_Init() != 0)
		return 1;
	/* The first thread is this one. */
	for (i = 1; i < threads; i++)
		if (pthread_create(&thread, NULL, answer_requests, NULL) != 0)
			return 1;
	answer_requests(NULL);
	return 1;
}
