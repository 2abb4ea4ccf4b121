/* Reading a segment's text. */
#include "live_segment.h"

#include <stdlib.h>
#include <string.h>

static const char magic[] = "HONE SEGMENT\n";
#define MAGIC_SIZE (sizeof magic - 1)

bool hone_is_live(hone_bytes engine) {
  return engine.size > MAGIC_SIZE && memcmp(engine.data, magic, MAGIC_SIZE) == 0;
}

/* The text after `key` in the line at *at, which is stepped over; NULL for another line. */
static char *read_line(const char **at, const char *end, const char *key) {
  const char *stop = memchr(*at, '\n', (size_t)(end - *at));
  size_t size = strlen(key);
  if (!stop || (size_t)(stop - *at) < size || memcmp(*at, key, size) != 0) return NULL;
  char *text = strndup(*at + size, (size_t)(stop - *at) - size);
  *at = stop + 1;
  return text;
}

static bool mark_weights(hone_live_segment *s, const char *list) {
  while (*list) {
    char *end;
    long place = strtol(list, &end, 10);
    if (end == list || place < 0 || place >= s->values || (*end && *end != ',')) return false;
    s->is_weight[place] = true;
    list = end + (*end == ',');
  }
  return true;
}

/* Cuts an option into its entries, of which there must be `count`, and what they name. */
static bool split_ports(char *at, int count, const char **entries, const char **named) {
  for (int i = 0; i < count; i++) {
    if (!at || !*at) return false;
    const char *entry = at;
    at = strchr(at, ',');
    if (at) *at++ = 0;
    const char *equals = strchr(entry, '=');
    if (entries) entries[i] = entry;
    named[i] = equals ? equals + 1 : entry;
  }
  return !at || !*at;
}

static bool read_text(hone_live_segment *s, hone_bytes text) {
  const char *at = (const char *)text.data + MAGIC_SIZE;
  const char *end = (const char *)text.data + text.size;
  s->fed = read_line(&at, end, "inputs=");
  s->wanted = s->fed ? read_line(&at, end, "outputs=") : NULL;
  char *weights = s->wanted ? read_line(&at, end, "weights=") : NULL;
  s->given = weights ? strdup(s->wanted) : NULL;
  bool good = s->given && mark_weights(s, weights) && at < end && *at == '\n' &&
              split_ports(s->fed, s->values, s->ports, s->nodes) &&
              split_ports(s->given, s->outputs, NULL, s->results);
  free(weights);
  if (good) s->graph = (hone_bytes){at + 1, (size_t)(end - at - 1)};
  return good;
}

hone_status *hone_live_segment_read(hone_bytes text, int values, int outputs,
                                    hone_live_segment *out) {
  *out = (hone_live_segment){.values = values, .outputs = outputs};
  out->is_weight = calloc((size_t)values + 1, sizeof *out->is_weight);
  out->ports = calloc((size_t)values + 1, sizeof *out->ports);
  out->nodes = calloc((size_t)values + 1, sizeof *out->nodes);
  out->results = calloc((size_t)outputs + 1, sizeof *out->results);
  if (!out->is_weight || !out->ports || !out->nodes || !out->results)
    return hone_status_new(HONE_OUT_OF_MEMORY, "out of memory");
  return read_text(out, text)
             ? NULL
             : hone_status_new(HONE_INVALID_ARGUMENT, "its segment cannot be read");
}

void hone_live_segment_free(hone_live_segment *segment) {
  free(segment->wanted);
  free(segment->fed);
  free(segment->given);
  free(segment->ports);
  free(segment->nodes);
  free(segment->results);
  free(segment->is_weight);
}
