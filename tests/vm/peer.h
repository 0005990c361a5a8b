/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PEER_H
#define PEER_H

#include <stdint.h>
#include <sys/socket.h>

enum { LINE_SIZE = 256, LIFETIME_SECONDS = 1800 };

_Noreturn void peer_fail(const char *what);
_Noreturn void peer_usage(void);

/* Returns IPPROTO_*; ends the program for an unknown name. */
int peer_proto(const char *name);
/* Parses a numeric address and returns its length; ends the program if it is malformed. */
socklen_t peer_resolve(const char *host, const char *port, struct sockaddr_storage *ret);
/* Returns a non-blocking socket, or -1 and errno. */
int peer_socket(int family, int proto);
int64_t peer_now_us(void);
/* Words for an error; a single word if tests look for it. */
const char *peer_error_word(int r);

int survey(int argc, char **argv);
int transfer(int argc, char **argv);
int datagram(int argc, char **argv);
int flood(int argc, char **argv);
_Noreturn void store(int argc, char **argv);
_Noreturn void answer(int argc, char **argv);
int exchange(int argc, char **argv);
int who_has(int argc, char **argv);

#endif
