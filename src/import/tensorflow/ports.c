/* What the user says a model is fed and gives: "node, name=node:1[1,?,224,3]". Room: import. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "import/tensorflow/importer.h"

static const char *skip_spaces(const char *at) {
  while (*at == ' ' || *at == ',') at++;
  return at;
}

static hone_status *broken(const char *text) {
  char shown[80];
  return hone_error(HONE_INVALID_ARGUMENT, "ports are written as name[1,?,3], not '%s'",
                    hone_quoted(shown, sizeof shown, text, strlen(text)));
}

/* "[1,?,3]" at *at; `?` is any size. */
static hone_status *read_dims(tf_importer *importer, const char **at, hone_shape *out) {
  const char *text = *at, *now = *at + 1;
  *out = (hone_shape){.rank = 0};
  while (*now != ']') {
    char *end;
    if (out->rank == HONE_MAX_RANK) return broken(text);
    hone_dim *dim = &out->dim[out->rank++];
    if (*now == '?') {
      HONE_TRY(hone_graph_symbol(importer->root, NULL, dim));
      now++;
    } else {
      *dim = strtoll(now, &end, 10);
      if (end == now || *dim < 0) return broken(text);
      now = end;
    }
    if (*now == ',') now++;
    else if (*now != ']') return broken(text);
  }
  *at = now + 1;
  return NULL;
}

hone_status *tf_parse_ports(tf_importer *importer, const char *text, tf_port **out,
                            size_t *count) {
  size_t most = 1;
  *count = 0;
  for (const char *at = text; *at; at++) most += *at == ',';
  *out = HONE_NEW_ARRAY(&importer->scratch, most + 1, tf_port);
  HONE_TRY_MEMORY(*out);
  for (const char *at = skip_spaces(text); *at; at = skip_spaces(at)) {
    tf_port *port = &(*out)[(*count)++];
    size_t size = strcspn(at, ",[ ");
    if (!size) return broken(at);
    size_t own = strcspn(at, "=,[ ");
    bool renamed = own < size && at[own] == '=';
    port->name = hone_arena_text(&importer->scratch, at, renamed ? own : size);
    port->edge = renamed ? hone_arena_text(&importer->scratch, at + own + 1, size - own - 1)
                         : port->name;
    if (!port->name || !port->edge) return hone_error_memory();
    port->shape = hone_shape_unknown();
    at += size;
    port->has_shape = *at == '[';
    if (port->has_shape) HONE_TRY(read_dims(importer, &at, &port->shape));
  }
  return NULL;
}
