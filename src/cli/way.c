// SPDX-License-Identifier: GPL-2.0-or-later
#include "way.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_line(json_t *list, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add_line(json_t *list, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort(); /* out of memory, as everywhere */
	va_end(ap);
	json_array_append_new(list, json_string(text));
	free(text);
}

/* What runs in a pod can be of a DaemonSet or of a file that the kubelet reads. */
static void stop_kube_proxy(const struct kube_proxy *k, json_t *list)
{
	if (k->pod) {
		add_line(list,
			"# a static pod ends when its manifest is moved away; a DaemonSet, on all "
			"nodes:");
		add_line(list,
			"kubectl -n kube-system patch daemonset kube-proxy -p "
			"'{\"spec\":{\"template\":{\"spec\":{\"nodeSelector\":"
			"{\"ipvsctl.io/no-kube-proxy\":\"true\"}}}}}'");
	} else if (k->unit) {
		add_line(list, "systemctl disable --now %s", k->unit);
	} else if (k->pid) {
		add_line(list, "kill %d # and keep what started kube-proxy from starting it again",
			k->pid);
	} else {
		add_line(list, "# stop kube-proxy, and keep it from starting again");
	}
}

static void start_kube_proxy(const struct kube_proxy *k, json_t *list)
{
	if (k->pod)
		add_line(list,
			"kubectl -n kube-system patch daemonset kube-proxy --type json -p "
			"'[{\"op\":\"remove\",\"path\":\"/spec/template/spec/nodeSelector/"
			"ipvsctl.io~1no-kube-proxy\"}]'");
	else if (k->unit)
		add_line(list, "systemctl enable --now %s", k->unit);
	else
		add_line(list, "# start kube-proxy as before");
}

json_t *way_there(const struct way *w)
{
	json_t *list = json_array();

	stop_kube_proxy(w->kube_proxy, list);
	if (w->kube_proxy->pod)
		add_line(list,
			"# in a container with the same files, such as that of "
			"examples/kubernetes/daemonset.yaml:");
	add_line(list, "%s", w->daemon);
	add_line(list, "ipvsctl-svc status");
	if (w->leftovers)
		add_line(list, "ipvsctl-svc cleanup --of kube-proxy");
	return list;
}

/* --hand-over knows kube-proxy's modes ipvs and iptables, and leads to the one with the name of the
 * backend. */
json_t *way_back(const struct way *w)
{
	const char *backend = backend_name(w->backend), *mode = *w->mode ? w->mode : backend;
	json_t *list = json_array();

	add_line(list, "# stop ipvsctl-svcd (SIGTERM); Services stay served");
	if (!strcmp(mode, "nftables")) {
		start_kube_proxy(w->kube_proxy, list);
		add_line(list, "ipvsctl-svcd --cleanup # when kube-proxy has synced");
		return list;
	}
	if (w->backend == BACKEND_NFTABLES)
		add_line(list, "%s --backend=%s # until it is in sync; then stop it", w->daemon,
			mode);
	if (strcmp(mode, backend) != 0)
		add_line(list, "%s --backend=%s --hand-over", w->daemon, mode);
	else
		add_line(list, "%s --hand-over", w->daemon);
	start_kube_proxy(w->kube_proxy, list);
	return list;
}
