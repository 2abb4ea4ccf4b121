/* string_split: each string into its parts, and how many it has. Room: ops.
 *
 * With an empty delimiter parts are what stands between runs of white space, else what stands
 * between delimiters. `most` is how many times a string is split at most (-1: any). The parts lie
 * along a new last axis as long as the longest list, empty strings behind the shorter ones. */
#include <string.h>

#include "ops/ops.h"

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What is left of a string under division. */
typedef struct cutter {
  const char *at, *end, *delimiter;
  size_t delimiter_size;
  int64_t splits_left; /* negative: any number */
  bool done;
} cutter;

static cutter cutter_start(const hone_string *text, const char *delimiter, int64_t most) {
  return (cutter){text->data, text->data + text->size, delimiter, strlen(delimiter), most, false};
}

/* The next part between runs of white space; the last one keeps what is inside it. */
static bool next_word(cutter *c, hone_string *out) {
  while (c->at < c->end && is_space(*c->at)) c->at++;
  if (c->at == c->end) return false;
  const char *start = c->at, *stop = c->end;
  if (c->splits_left == 0) {
    while (stop > start && is_space(stop[-1])) stop--;
    c->at = c->end;
  } else {
    while (c->at < c->end && !is_space(*c->at)) c->at++;
    stop = c->at;
    c->splits_left--;
  }
  *out = (hone_string){start, (size_t)(stop - start)};
  return true;
}

static bool next_part(cutter *c, hone_string *out) {
  if (!c->delimiter_size) return next_word(c, out);
  if (c->done) return false;
  size_t left = (size_t)(c->end - c->at);
  const char *found =
      c->splits_left != 0 && left ? memmem(c->at, left, c->delimiter, c->delimiter_size) : NULL;
  const char *stop = found ? found : c->end;
  *out = (hone_string){c->at, (size_t)(stop - c->at)};
  c->done = !found;
  if (found) c->at = found + c->delimiter_size;
  c->splits_left--;
  return true;
}

static size_t count_parts(const hone_node *node, const hone_string *text) {
  cutter c = cutter_start(text, hone_node_text(node, "delimiter"), hone_node_int(node, "most"));
  hone_string part;
  size_t count = 0;
  while (next_part(&c, &part)) count++;
  return count;
}

static hone_status *split_infer(hone_infer *infer) {
  const hone_type *x = infer->in[0];
  const hone_datum *value = infer->value[0];
  if (x->dtype && x->dtype != HONE_STR)
    return hone_infer_fail(infer, "an input of type %s", hone_dtype_name(x->dtype));
  if (x->shape.rank == HONE_MAX_RANK) return hone_infer_fail(infer, "too many dimensions");
  infer->out[0] = hone_tensor_type(HONE_STR, x->shape);
  if (infer->output_count > 1) infer->out[1] = hone_tensor_type(HONE_S64, x->shape);
  if (x->shape.rank < 0) return NULL;
  hone_dim *longest = &infer->out[0].shape.dim[infer->out[0].shape.rank++];
  if (!value || !value->data) {
    *longest = hone_infer_fresh(infer);
    return NULL;
  }
  *longest = 0;
  for (size_t i = 0, count = hone_datum_count(value); i < count; i++) {
    size_t parts = count_parts(infer->node, (const hone_string *)value->data + i);
    if ((hone_dim)parts > *longest) *longest = (hone_dim)parts;
  }
  return NULL;
}

static hone_status *split_reference(hone_reference *ref) {
  const hone_string *in = ref->in[0]->data;
  const hone_shape *shape = &ref->out[0]->shape;
  hone_string *out = ref->out[0]->data;
  size_t longest = (size_t)shape->dim[shape->rank - 1], count = hone_datum_count(ref->in[0]);
  const char *delimiter = hone_node_text(ref->node, "delimiter");
  for (size_t i = 0; i < count; i++) {
    cutter c = cutter_start(&in[i], delimiter, hone_node_int(ref->node, "most"));
    hone_string part;
    size_t parts = 0;
    while (parts < longest && next_part(&c, &part)) {
      char *text = hone_arena_text(ref->objects, part.data, part.size);
      HONE_TRY_MEMORY(text);
      out[i * longest + parts++] = (hone_string){text, part.size};
    }
    if (ref->output_count > 1 && ref->out[1])
      hone_store_int(HONE_S64, ref->out[1]->data, i, (int64_t)parts);
    for (; parts < longest; parts++) out[i * longest + parts] = (hone_string){"", 0};
  }
  return NULL;
}

const hone_op hone_op_string_split = {
    .name = "string_split",
    .inputs = "x",
    .outputs = "parts counts?",
    .attrs = {{"delimiter", HONE_ATTR_TEXT, ""}, {"most", HONE_ATTR_INT, "-1"}},
    .facts = HONE_OBJECTS,
    .shape_inputs = 1u << 0,
    .infer = split_infer,
    .reference = split_reference,
};
