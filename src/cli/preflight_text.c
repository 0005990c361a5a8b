// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/mem.h"
#include "preflight.h"
#include "report/clean.h"
#include "tree.h"

enum { DIFFERENCES_SHOWN = 50 /* the JSON has all */ };

/* The members of "objects", in the order in which they are told. */
static const struct {
	const char *key, *one, *many;
} object_names[] = {
	{ "virtualServers", "virtual server", "virtual servers" },
	{ "realServers", "real server", "real servers" },
	{ "dispatchEntries", "dispatch entry", "dispatch entries" },
	{ "sets", "set", "sets" },
	{ "setMembers", "member of sets", "members of sets" },
	{ "chains", "chain", "chains" },
	{ "jumps", "jump", "jumps" },
	{ "addresses", "address", "addresses" },
	{ "routes", "route", "routes" },
	{ "heldAddresses", "held address", "held addresses" },
	{ "policyRules", "policy rule", "policy rules" },
	{ "devices", "device", "devices" },
};

/* "TITLE: 3 virtual servers, 1 set", or nothing if there is none. */
static void print_count_line(
	const json_t *objects, const char *member, const char *title, struct buf *out)
{
	const char *separator = title;

	for (size_t i = 0; i < ARRAY_SIZE(object_names); i++) {
		json_int_t n = tree_number(json_object_get(objects, object_names[i].key), member);

		if (!n)
			continue;
		buf_addf(out, "%s%lld %s", separator, n,
			n == 1 ? object_names[i].one : object_names[i].many);
		separator = ", ";
	}
	if (separator != title)
		buf_addc(out, '\n');
}

static void print_sentences(const json_t *list, const char *title, struct buf *out)
{
	const json_t *sentence;
	size_t i;

	if (json_array_size(list))
		buf_addf(out, "\n%s:\n", title);
	json_array_foreach(list, i, sentence) {
		buf_addf(out, "  - %s\n", json_string_value(sentence));
	}
}

static void print_proxy(const json_t *proxy, struct buf *out)
{
	const char *file = tree_text(proxy, "configuration"), *mode = tree_text(proxy, "mode");
	const char *unit = tree_text(proxy, "unit");
	const json_t *options = json_object_get(proxy, "options"), *option;
	size_t i;

	buf_adds(out, "kube-proxy: ");
	if (tree_number(proxy, "pid"))
		buf_addf(out, "process %lld%s%s", tree_number(proxy, "pid"),
			!strcmp(tree_text(proxy, "runsIn"), "pod") ? " in a pod"
				: *unit				   ? " of "
								   : "",
			unit);
	else
		buf_adds(out, "no process is seen");
	if (*mode)
		buf_addf(out, ", mode %s", mode);
	buf_addf(out, "\nConfiguration: %s", *file ? file : "no file");
	json_array_foreach(options, i, option) {
		buf_addf(out, " %s", json_string_value(option));
	}
	buf_addc(out, '\n');
}

static void print_backend(const json_t *tree, struct buf *out)
{
	const json_t *families = json_object_get(tree, "families"), *family;
	const char *with = tree_text(tree, "comparedWith");
	size_t i;

	buf_addf(out, "ipvsctl-svcd: node %s, backend %s, sets and rules in %s,",
		tree_text(tree, "node"), tree_text(tree, "backend"), tree_text(tree, "netfilter"));
	json_array_foreach(families, i, family) {
		buf_addf(out, " %s", json_string_value(family));
	}
	if (*with)
		buf_addf(out, "\nCompared with the Services of: %s\n", with);
	else if (*tree_text(tree, "notCompared"))
		buf_addf(out,
			"\nCompared with no Services (%s): only the layout is known, not what changes "
			"of each Service\n",
			tree_text(tree, "notCompared"));
	else
		buf_addc(out, '\n');
}

/* As in the text of a plan. */
static void print_preflight_differences(const json_t *list, struct buf *out)
{
	const json_t *o;
	size_t i;

	if (list)
		buf_addf(out, "\nWould change: %zu\n", json_array_size(list));
	json_array_foreach(list, i, o) {
		const char *change = tree_text(o, "change");

		if (i == DIFFERENCES_SHOWN) {
			buf_addf(out, "  and %zu more, which -o json lists\n",
				json_array_size(list) - i);
			break;
		}
		buf_addf(out, "%c %s",
			!strcmp(change, "add")		 ? '+'
				: !strcmp(change, "set") ? '~'
							 : '-',
			tree_text(o, "fact"));
		if (json_object_get(o, "is"))
			buf_addf(out, " (is %s)", tree_text(o, "is"));
		buf_addc(out, '\n');
	}
}

static void print_lost_addresses(const json_t *tree, struct buf *out)
{
	static const char *const members[] = { "conflicts", "refused" };

	for (size_t m = 0; m < ARRAY_SIZE(members); m++) {
		const json_t *list = json_object_get(tree, members[m]), *o;
		size_t i;

		json_array_foreach(list, i, o) {
			if (!i)
				buf_addf(out, "\n%s\n", m ? "Refused:" : "Conflicts of Services:");
			buf_addf(out, "  %s does not get ", tree_text(o, "service"));
			tree_address_port(o, out);
			buf_addf(out, "/%s: %s%s\n", tree_text(o, "protocol"),
				m ? "" : "it belongs to ", tree_text(o, m ? "reason" : "heldBy"));
		}
	}
}

static void print_settings(const json_t *list, struct buf *out)
{
	const json_t *o;
	size_t i;

	if (json_array_size(list))
		buf_adds(out, "\nKernel settings:\n");
	json_array_foreach(list, i, o) {
		buf_addf(out, "  %s = %lld", tree_text(o, "setting"), tree_number(o, "becomes"));
		if (json_object_get(o, "is"))
			buf_addf(out, " (is %lld)", tree_number(o, "is"));
		buf_addc(out, '\n');
	}
}

static void print_unhonoured(const json_t *list, struct buf *out)
{
	const json_t *o;
	size_t i;

	if (json_array_size(list))
		buf_adds(out, "\nWithout effect here:\n");
	json_array_foreach(list, i, o) {
		const char *reason = tree_text(o, "reason");

		buf_addf(out, "  %s%s%s\n", tree_text(o, "option"), *reason ? ": " : "", reason);
	}
}

static void print_commands(const json_t *list, const char *title, struct buf *out)
{
	const json_t *command;
	size_t i;

	buf_addf(out, "\n%s:\n", title);
	json_array_foreach(list, i, command) {
		buf_addf(out, "  %s\n", json_string_value(command));
	}
}

void preflight_text(json_t *tree, struct buf *out)
{
	const json_t *objects = json_object_get(tree, "objects"), *first, *commands, *other;

	report_clean(tree);
	first = json_object_get(tree, "first");
	commands = json_object_get(tree, "commands");
	other = json_object_get(tree, "otherInterface");
	print_proxy(json_object_get(tree, "kubeProxy"), out);
	print_backend(tree, out);
	if (tree_true(tree, "ready"))
		buf_adds(out, "Ready: everything can be taken over\n");
	else
		buf_addf(out, "Not ready: %zu %s must be done first\n", json_array_size(first),
			json_array_size(first) == 1 ? "thing" : "things");
	print_sentences(first, "Do this first", out);
	if (json_object_size(objects))
		buf_addc(out, '\n');
	print_count_line(objects, "adopted",
		*tree_text(tree, "comparedWith") ? "Adopted as they are: "
						 : "Adopted as far as Services want them: ",
		out);
	print_count_line(objects, "changed", "Changed in place: ", out);
	print_count_line(objects, "added", "Added: ", out);
	print_count_line(objects, "removed", "Removed: ", out);
	print_count_line(objects, "kept", "Kept, because the input is incomplete: ", out);
	print_count_line(objects, "foreign", "Of other programs, left alone: ", out);
	if (other)
		buf_addf(out, "Removed from %s when ours is in force: %lld\n",
			tree_text(other, "netfilter"), tree_number(other, "removed"));
	print_sentences(json_object_get(tree, "layout"), "What the layout changes", out);
	print_preflight_differences(json_object_get(tree, "differences"), out);
	print_lost_addresses(tree, out);
	print_settings(json_object_get(tree, "settings"), out);
	print_unhonoured(json_object_get(tree, "notHonoured"), out);
	print_sentences(json_object_get(tree, "leftovers"),
		"Left over from kube-proxy, until ipvsctl-svc cleanup --of kube-proxy", out);
	print_sentences(json_object_get(tree, "warnings"), "Warnings", out);
	print_commands(json_object_get(commands, "there"), "There", out);
	print_commands(json_object_get(commands, "back"), "Back", out);
}
