/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PEER_H
#define PEER_H

#include <stdint.h>
#include <sys/socket.h>

enum { LINE_SIZE = 256 };

_Noreturn void peer_fail(const char *what);
_Noreturn void peer_usage(void);

/* IPPROTO_*; ends the program if there is none of this name. */
int peer_proto(const char *name);
/* The length of the address in numbers; ends the program if it is none. */
socklen_t peer_resolve(const char *host, const char *port, struct sockaddr_storage *ret);
/* A socket that does not block, or -1 and errno. */
int peer_socket(int family, int proto);
int64_t peer_now_us(void);
/* What came in place of an answer, in one word if it is one that tests look for. */
const char *peer_error_word(int r);

int survey(int argc, char **argv);

#endif
