/* Optionals: a value or none. Room: ops. */
#include "ops/objects.h"
#include "ops/ops.h"

/* Without an input the attributes say what it would hold. */
static hone_status *make_infer(hone_infer *infer) {
  hone_type *out = &infer->out[0];
  *out = (hone_type){.kind = HONE_KIND_OPTIONAL, .shape = hone_shape_unknown()};
  if (infer->input_count && infer->in[0]) {
    if (infer->in[0]->kind == HONE_KIND_OPTIONAL)
      return hone_infer_fail(infer, "an optional of an optional");
    *out = *infer->in[0];
    out->item = infer->in[0]->kind;
    out->kind = HONE_KIND_OPTIONAL;
    return NULL;
  }
  out->dtype = hone_node_dtype(infer->node, "dtype");
  out->item = hone_node_flag(infer->node, "sequence") ? HONE_KIND_SEQUENCE : HONE_KIND_TENSOR;
  return NULL;
}

static hone_status *make_reference(hone_reference *ref) {
  hone_datum *out = ref->out[0];
  *out = (hone_datum){.kind = HONE_KIND_OPTIONAL, .dtype = out->dtype};
  out->shape = hone_shape_unknown();
  out->items = HONE_NEW(ref->objects, hone_datum);
  HONE_TRY_MEMORY(out->items);
  if (!ref->input_count || !ref->in[0]) return NULL;
  out->count = 1;
  return hone_datum_copy(ref->objects, ref->in[0], &out->items[0]);
}

const hone_op hone_op_optional_make = {
    .name = "optional_make",
    .inputs = "x?",
    .outputs = "o",
    .attrs = {{"dtype", HONE_ATTR_DTYPE, "none"}, {"sequence", HONE_ATTR_FLAG, "false"}},
    .facts = HONE_OBJECTS,
    .infer = make_infer,
    .reference = make_reference,
};

/* Of a value that is no optional: the value itself. */
static hone_status *get_infer(hone_infer *infer) {
  infer->out[0] = *infer->in[0];
  if (infer->in[0]->kind == HONE_KIND_OPTIONAL) infer->out[0].kind = infer->in[0]->item;
  infer->out[0].item = HONE_KIND_TENSOR;
  if (!infer->graph) infer->out[0].shape = hone_shape_unknown();
  return NULL;
}

static hone_status *get_reference(hone_reference *ref) {
  const hone_datum *in = ref->in[0];
  if (in->kind != HONE_KIND_OPTIONAL) return hone_datum_copy(ref->objects, in, ref->out[0]);
  if (!in->count) return hone_error(HONE_INVALID_ARGUMENT, "the optional holds nothing");
  return hone_datum_copy(ref->objects, &in->items[0], ref->out[0]);
}

const hone_op hone_op_optional_get = {
    .name = "optional_get",
    .inputs = "o",
    .outputs = "x",
    .facts = HONE_OBJECTS,
    .infer = get_infer,
    .reference = get_reference,
};

static hone_status *has_infer(hone_infer *infer) {
  infer->out[0] = hone_tensor_type(HONE_BOOL, (hone_shape){0});
  return NULL;
}

static hone_status *has_reference(hone_reference *ref) {
  const hone_datum *in = ref->input_count ? ref->in[0] : NULL;
  bool has = in && (in->kind != HONE_KIND_OPTIONAL || in->count);
  hone_store_int(HONE_BOOL, ref->out[0]->data, 0, has);
  return NULL;
}

const hone_op hone_op_optional_has = {
    .name = "optional_has",
    .inputs = "o?",
    .outputs = "has",
    .facts = HONE_OBJECTS,
    .infer = has_infer,
    .reference = has_reference,
};
