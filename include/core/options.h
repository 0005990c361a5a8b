/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_OPTIONS_H
#define CORE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* What the person who runs the node chose, as far as more than one layer needs it. */

/* Which objects tell the endpoints; AUTO: Endpoints as long as the server has no EndpointSlices. */
enum endpoints_source { ENDPOINTS_AUTO, ENDPOINTS_SLICES, ENDPOINTS_LEGACY };

/* Connection tracking on a node of a cluster. 0 and false leave the kernel's value. */
struct conntrack_settings {
	uint32_t max_per_core; /* connections to track for each CPU; 0: `min` does not count either
				*/
	uint32_t min;	       /* and not less in all */
	uint32_t tcp_established_timeout, tcp_close_wait_timeout; /* seconds */
	uint32_t udp_timeout, udp_stream_timeout;		  /* seconds */
	bool tcp_be_liberal; /* packets outside of the window are not invalid */
};

#endif
