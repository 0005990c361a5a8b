// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_conns [CONNECTIONS [SERVICES]]
 *
 * Reads a table of connections as the kernel prints it, of Services with ten endpoints each, and
 * counts it, then lists it. Prints a row of a table in Markdown for each: the time of the processor
 * without the kernel's own work on the table, and the memory of the process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "../../src/cli/conns_tally.h"
#include "base/mem.h"

static FILE *write_table(unsigned connections, unsigned services)
{
	static const char header[] =
		"Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n";
	FILE *f = tmpfile();

	if (!f)
		return NULL;
	fputs(header, f);
	for (unsigned i = 0; i < connections; i++) {
		unsigned service = i % services;

		fprintf(f, "UDP %08X %04X %08X 0035 %08X 14E9 UDP             %u\n",
			0xc0a80000 + i / 60000, i % 60000 + 1024, 0x0a600000 + service,
			0x0af40000 + service * 10 + i / services % 10, i % 300);
	}
	rewind(f);
	return f;
}

static json_t *make_status(unsigned services)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < services; i++) {
		char name[32], address[32];

		snprintf(name, sizeof(name), "service-%u", i);
		snprintf(address, sizeof(address), "10.96.%u.%u", i >> 8, i & 0xff);
		json_array_append_new(list,
			json_pack("{s:s, s:s, s:[{s:s, s:i, s:s, s:[{s:s, s:i, s:s}]}]}",
				"namespace", "bench", "name", name, "ports", "name", "dns", "port",
				53, "protocol", "UDP", "addresses", "address", address, "port", 53,
				"state", "OK"));
	}
	return json_pack("{s:o}", "services", list);
}

static double processor_seconds(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

static void measure(FILE *table, const json_t *status, const char *what, FILE *list)
{
	struct conns *c = conns_new(status);
	double since = processor_seconds();
	struct rusage usage;
	struct err err;
	uint64_t skipped;

	rewind(table);
	if (list)
		conns_list(c, list, false, true);
	if (connections_read(table, list ? conns_print : conns_count, c, &skipped, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
	if (list)
		conns_flush(c);
	else
		json_decref(conns_totals_json(c));
	getrusage(RUSAGE_SELF, &usage);
	printf("| %s | %.2f s | %ld KiB |\n", what, processor_seconds() - since, usage.ru_maxrss);
	conns_free(c);
}

int main(int argc, char **argv)
{
	const unsigned connections = argc > 1 ? (unsigned)atoi(argv[1]) : 1000000;
	const unsigned services = argc > 2 ? (unsigned)atoi(argv[2]) : 1000;
	FILE *table = services ? write_table(connections, services) : NULL;
	FILE *nowhere = fopen("/dev/null", "w");
	json_t *status;

	if (!table || !nowhere) {
		fprintf(stderr, "usage: bench_conns [CONNECTIONS [SERVICES]]\n");
		return 1;
	}
	status = make_status(services);
	printf("| %u connections | CPU time | memory of the process |\n| --- | --- | --- |\n",
		connections);
	measure(table, status, "totals", NULL);
	measure(table, status, "`--list`", nowhere);
	json_decref(status);
	fclose(table);
	fclose(nowhere);
	return 0;
}
