/*
 * What values of the configuration may look like: closed lists of characters,
 * anchored, ASCII. Everything that ends in a generated nginx file passes one
 * of these when it is read and again where it is written.
 */
#ifndef SETTINGS_GRAMMAR_H
#define SETTINGS_GRAMMAR_H

#include <stdbool.h>
#include <stdint.h>

/* Decimal digits only, at most 18 of them. Returns 0, or -1. */
int number_parse(const char *text, int64_t *out);

/* Absolute, of A-Z a-z 0-9 . _ + @ - and '/', no "." or ".." between them. */
bool path_is_valid(const char *text);
/* The same, short enough that sockets beneath it can be bound. */
bool run_path_is_valid(const char *text);
/* A path or "off". */
bool log_path_is_valid(const char *text);
/* A name of the user database: a-z, 0-9, '_' and '-', at most 32. */
bool user_is_valid(const char *text);
/* An IPv4 or IPv6 address, without brackets, or "localhost". */
bool listen_host_is_valid(const char *text);
/* 127.0.0.0/8, ::1 or "localhost". */
bool host_is_loopback(const char *text);
/* Labels of letters, digits and '-' with dots between them, 253 in all. */
bool host_name_is_valid(const char *text);
/* A host name or a literal address: what a Host header may name. */
bool server_name_is_valid(const char *text);
/* http or https, "://", a server name (IPv6 in brackets), maybe a port. */
bool origin_is_valid(const char *text);
/* An origin, or "*" for all of them. */
bool origin_pattern_is_valid(const char *text);
/* A name of Docker's for a network. */
bool network_name_is_valid(const char *text);
/* 64 hexadecimal digits in lower case. */
bool sha256_is_valid(const char *text);
/* "https://", a server name, maybe a port, "/" and printable characters. */
bool https_url_is_valid(const char *text);
/* An address, or a network as "10.0.0.0/8". */
bool network_is_valid(const char *text);
/* a-z, 0-9, '_', '-' and '.', at most 64. */
bool word_is_valid(const char *text);
/* Printable characters, at most 512 bytes. */
bool line_is_valid(const char *text);

#endif
