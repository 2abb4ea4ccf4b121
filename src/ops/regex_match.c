/* regex_match: whether a pattern matches the whole of each string. Room: ops. */
#include "base/regex.h"
#include "ops/ops.h"

static hone_status *match_infer(hone_infer *infer) {
  const hone_type *x = infer->in[0];
  if (x->dtype && x->dtype != HONE_STR)
    return hone_infer_fail(infer, "an input of type %s", hone_dtype_name(x->dtype));
  infer->out[0] = hone_tensor_type(HONE_BOOL, x->shape);
  return NULL;
}

static hone_status *match_reference(hone_reference *ref) {
  const hone_string *in = ref->in[0]->data;
  size_t count = hone_datum_count(ref->in[0]);
  hone_regex *regex;
  HONE_TRY(hone_regex_new(hone_node_text(ref->node, "pattern"), ref->scratch, &regex));
  for (size_t i = 0; i < count; i++)
    hone_store_int(HONE_BOOL, ref->out[0]->data, i,
                   hone_regex_full_match(regex, in[i].data, in[i].size));
  return NULL;
}

const hone_op hone_op_regex_match = {
    .name = "regex_match",
    .inputs = "x",
    .outputs = "y",
    .attrs = {{"pattern", HONE_ATTR_TEXT, NULL}},
    .facts = HONE_OBJECTS,
    .infer = match_infer,
    .reference = match_reference,
};
