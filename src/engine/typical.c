/* Typical sizes of inputs, from the option "shapes" and from guesses. Room: engine. */
#include "engine/typical.h"

#include <stdlib.h>
#include <string.h>

static hone_dim guess(const hone_shape *shape, int axis) {
  if (axis == 0) return 1;
  return shape->rank == 4 ? 224 : 128;
}

/* Parses "1x3x224" up to `end`. */
static hone_status *parse_dims(const char *at, const char *end, hone_shape *out) {
  out->rank = 0;
  while (at < end) {
    char *stop;
    long long dim = strtoll(at, &stop, 10);
    if (stop == at || stop > end || dim < 0 || out->rank == HONE_MAX_RANK)
      return hone_error(HONE_INVALID_ARGUMENT, "option shapes: '%.*s' are no dimensions",
                        (int)(end - at), at);
    out->dim[out->rank++] = dim;
    at = stop < end && *stop == 'x' ? stop + 1 : stop;
    if (stop < end && *stop != 'x')
      return hone_error(HONE_INVALID_ARGUMENT, "option shapes: sizes are written as 1x3x224");
  }
  return NULL;
}

static int find_input(const hone_graph *graph, const char *name, size_t size) {
  for (int i = 0; i < graph->input_count; i++)
    if (strlen(graph->inputs[i]->name) == size && memcmp(graph->inputs[i]->name, name, size) == 0)
      return i;
  return -1;
}

/* A name may hold colons: the last one before the comma separates it from its dims. */
static hone_status *apply_shapes(const hone_graph *graph, const char *shapes, hone_datum *out) {
  for (const char *at = shapes; *at;) {
    const char *end = at + strcspn(at, ",");
    const char *colon = memrchr(at, ':', (size_t)(end - at));
    if (!colon)
      return hone_error(HONE_INVALID_ARGUMENT, "option shapes: '%.*s' is not name:1x2x3",
                        (int)(end - at), at);
    int index = find_input(graph, at, (size_t)(colon - at));
    if (index < 0)
      return hone_error(HONE_INVALID_ARGUMENT, "option shapes: there is no input '%.*s'",
                        (int)(colon - at), at);
    HONE_TRY(parse_dims(colon + 1, end, &out[index].shape));
    at = *end ? end + 1 : end;
  }
  return NULL;
}

/* One symbol is one size: an open dimension takes what another input says of its symbol. */
static hone_dim of_symbol(const hone_graph *graph, const hone_datum *data, hone_dim symbol) {
  for (int i = 0; i < graph->input_count; i++) {
    const hone_shape *shape = &graph->inputs[i]->type.shape;
    for (int d = 0; d < shape->rank && d < data[i].shape.rank; d++)
      if (shape->dim[d] == symbol && data[i].shape.dim[d] >= 0) return data[i].shape.dim[d];
  }
  return -1;
}

static void fill_open_dims(const hone_graph *graph, hone_datum *out) {
  for (int i = 0; i < graph->input_count; i++) {
    hone_shape *shape = &out[i].shape;
    if (shape->rank < 0) *shape = (hone_shape){0};
    for (int d = 0; d < shape->rank; d++) {
      if (shape->dim[d] >= 0) continue;
      hone_dim known = of_symbol(graph, out, shape->dim[d]);
      shape->dim[d] = known >= 0 ? known : guess(shape, d);
    }
  }
}

hone_status *hone_typical_inputs(const hone_graph *graph, const char *shapes, hone_arena *memory,
                                 hone_datum *out) {
  for (int i = 0; i < graph->input_count; i++) {
    const hone_type *type = &graph->inputs[i]->type;
    out[i] = (hone_datum){.kind = type->kind, .dtype = type->dtype, .shape = type->shape};
  }
  HONE_TRY(apply_shapes(graph, shapes, out));
  fill_open_dims(graph, out);
  for (int i = 0; i < graph->input_count; i++) {
    size_t bytes;
    if (out[i].kind != HONE_KIND_TENSOR) continue;
    if (!hone_shape_bytes(&out[i].shape, out[i].dtype, &bytes))
      return hone_error(HONE_INVALID_ARGUMENT, "option shapes: the size of '%s' overflows",
                        graph->inputs[i]->name);
    out[i].data = hone_arena_zero(memory, bytes + 16);
    HONE_TRY_MEMORY(out[i].data);
  }
  return NULL;
}
