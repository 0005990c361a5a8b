// SPDX-License-Identifier: GPL-2.0-or-later
#include "http_end.h"

#include <errno.h>

/* CURLE_SSL_CLIENTCERT of libcurl 7.77: the server wants a certificate. */
enum { SSL_CLIENTCERT = 98 };

enum http_end http_end_of(CURLcode code, long os_error)
{
	switch ((int)code) {
	case CURLE_OK:
		return HTTP_END_ANSWERED;
	case CURLE_COULDNT_CONNECT:
		return os_error == ETIMEDOUT ? HTTP_END_TIMEOUT : HTTP_END_UNREACHED;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_PROXY:
		return HTTP_END_UNREACHED;
	case CURLE_OPERATION_TIMEDOUT:
		return HTTP_END_TIMEOUT;
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return HTTP_END_LOST;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case SSL_CLIENTCERT:
	/* libcurl 8.23, where the key does not fit the certificate; older ones: CERTPROBLEM */
	case CURLE_BAD_FUNCTION_ARGUMENT:
		return HTTP_END_TLS;
	default:
		return HTTP_END_FAILED;
	}
}

bool http_end_blames_credentials(enum http_end end, unsigned status)
{
	switch (end) {
	case HTTP_END_TLS:
		return true;
	case HTTP_END_LOST:
	case HTTP_END_FAILED:
		return !status;
	case HTTP_END_ANSWERED:
	case HTTP_END_UNREACHED:
	case HTTP_END_TIMEOUT:
		break;
	}
	return false;
}
