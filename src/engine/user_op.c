/* Operators that users define: registering them, their shape rule and reference. Room: engine. */
#include "engine/user_op.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "ir/lexer.h"

/* ---- What callbacks see ---------------------------------------------------------------------- */

hone_status *hone_call_tensors_make(hone_arena *arena, int count, hone_call_tensors *out) {
  out->tensors = HONE_NEW_ARRAY(arena, count + 1, hone_tensor);
  out->pointers = HONE_NEW_ARRAY(arena, count + 1, hone_tensor *);
  return out->tensors && out->pointers ? NULL : hone_error_memory();
}

void hone_call_tensor_set(hone_call_tensors *list, int index, const hone_type *type,
                          const void *data) {
  hone_tensor *tensor = &list->tensors[index];
  size_t bytes = 0;
  *tensor = (hone_tensor){.struct_size = sizeof *tensor,
                          .dtype = type->dtype,
                          .rank = type->shape.rank,
                          .data = (void *)(uintptr_t)data};
  for (int i = 0; i < type->shape.rank; i++) tensor->dims[i] = type->shape.dim[i];
  if (data && hone_shape_bytes(&type->shape, type->dtype, &bytes)) tensor->size = bytes;
  list->pointers[index] = tensor;
}

/* The attribute of this name and one of these kinds (bits); NULL if there is none. */
static const hone_attr *attribute(const hone_node *node, const char *name, unsigned allowed) {
  int index = hone_op_attr_index(node->op, name, strlen(name));
  return index >= 0 && (allowed >> node->op->attrs[index].kind & 1) ? &node->attrs[index] : NULL;
}

int64_t hone_attribute_int(const hone_node *node, const char *name) {
  const hone_attr *attr =
      attribute(node, name, 1u << HONE_ATTR_INT | 1u << HONE_ATTR_FLAG | 1u << HONE_ATTR_DTYPE);
  return attr ? attr->integer : 0;
}
double hone_attribute_real(const hone_node *node, const char *name) {
  const hone_attr *attr = attribute(node, name, 1u << HONE_ATTR_REAL);
  return attr ? attr->real : 0;
}
const char *hone_attribute_text(const hone_node *node, const char *name) {
  const hone_attr *attr = attribute(node, name, 1u << HONE_ATTR_TEXT | 1u << HONE_ATTR_CHOICE);
  return attr ? attr->text : NULL;
}
const int64_t *hone_attribute_ints(const hone_node *node, const char *name, size_t *count) {
  const hone_attr *attr = attribute(node, name, 1u << HONE_ATTR_INTS);
  *count = attr ? attr->count : 0;
  return attr ? attr->integers : NULL;
}
const double *hone_attribute_reals(const hone_node *node, const char *name, size_t *count) {
  const hone_attr *attr = attribute(node, name, 1u << HONE_ATTR_REALS);
  *count = attr ? attr->count : 0;
  return attr ? attr->reals : NULL;
}
const char *const *hone_attribute_texts(const hone_node *node, const char *name, size_t *count) {
  const hone_attr *attr = attribute(node, name, 1u << HONE_ATTR_TEXTS);
  *count = attr ? attr->count : 0;
  return attr ? attr->texts : NULL;
}

static const hone_user_op *user_op(const hone_node *node) {
  return (const hone_user_op *)node->op;
}

/* ---- The shape rule ---------------------------------------------------------------------------
 */

/* The call as the user sees it, and what it stands for. */
typedef struct shape_call {
  hone_shape_call call; /* first */
  hone_infer *infer;
} shape_call;

int64_t hone_unknown_dim(hone_shape_call *call) {
  return hone_infer_fresh(((shape_call *)call)->infer);
}

/* A type that the user set, checked before anything believes it. */
static hone_status *take_type(const hone_infer *infer, int index, const hone_tensor *from) {
  hone_type *type = &infer->out[index];
  if (from->dtype <= HONE_DTYPE_NONE || from->dtype >= HONE_DTYPE_COUNT)
    return hone_infer_fail(infer, "its shape function sets no element type for output %d", index);
  if (from->rank < HONE_RANK_UNKNOWN || from->rank > HONE_MAX_RANK)
    return hone_infer_fail(infer, "its shape function gives output %d rank %d", index, from->rank);
  *type = hone_tensor_type(from->dtype, hone_shape_unknown());
  type->shape.rank = from->rank;
  for (int i = 0; i < from->rank; i++) {
    hone_dim dim = from->dims[i];
    if (!hone_dim_known(dim) && infer->graph &&
        (size_t)(-1 - dim) >= infer->graph->root->symbol_count)
      return hone_infer_fail(infer, "its shape function gives output %d a size of %lld", index,
                             (long long)dim);
    type->shape.dim[i] = hone_dim_known(dim) || infer->graph ? dim : -1;
  }
  return NULL;
}

static hone_status *call_shape(hone_infer *infer, hone_arena *scratch) {
  const hone_user_op *op = user_op(infer->node);
  int inputs = hone_call_inputs(op, infer->input_count);
  int outputs = hone_call_outputs(op, infer->output_count);
  hone_call_tensors in, out;
  HONE_TRY(hone_call_tensors_make(scratch, inputs, &in));
  HONE_TRY(hone_call_tensors_make(scratch, outputs, &out));
  for (int i = 0; i < infer->input_count; i++)
    if (infer->in[i])
      hone_call_tensor_set(&in, i, infer->in[i], infer->value[i] ? infer->value[i]->data : NULL);
  const hone_type nothing = {.shape = {.rank = HONE_RANK_UNKNOWN}};
  for (int i = 0; i < infer->output_count; i++)
    if (hone_node_out(infer->node, i)) hone_call_tensor_set(&out, i, &nothing, NULL);
  shape_call call = {.call = {.struct_size = sizeof call.call,
                              .node = infer->node,
                              .input_count = (size_t)inputs,
                              .output_count = (size_t)outputs,
                              .inputs = (const hone_tensor *const *)in.pointers,
                              .outputs = out.pointers,
                              .planning = infer->graph == NULL},
                     .infer = infer};
  HONE_TRY(op->definition.shape(op->definition.user, &call.call));
  for (int i = 0; i < infer->output_count; i++)
    if (out.pointers[i]) HONE_TRY(take_type(infer, i, out.pointers[i]));
  return NULL;
}

static hone_status *user_infer(hone_infer *infer) {
  hone_arena scratch = {0};
  hone_status *status = call_shape(infer, &scratch);
  hone_arena_free(&scratch);
  return status;
}

/* ---- The reference ----------------------------------------------------------------------------
 */

typedef struct reference_call {
  hone_reference_call call; /* first */
  hone_arena *objects;
} reference_call;

void *hone_reference_memory(hone_reference_call *call, size_t size) {
  return hone_arena_alloc(((reference_call *)call)->objects, size);
}

static hone_type type_of(const hone_datum *datum) {
  return hone_tensor_type(datum->dtype, datum->shape);
}

/* Sizes that only running told: no larger than the memory that there is. */
static hone_status *take_shape(const hone_tensor *from, int index, hone_datum *out) {
  for (int i = 0; i < out->shape.rank; i++) {
    if (from->dims[i] < 0 || from->dims[i] > out->shape.dim[i])
      return hone_error(HONE_INVALID_ARGUMENT,
                        "its reference gives output %d a size of %lld where "
                        "its shape function said up to %lld",
                        index, (long long)from->dims[i], (long long)out->shape.dim[i]);
    out->shape.dim[i] = from->dims[i];
  }
  return NULL;
}

static hone_status *user_reference(hone_reference *ref) {
  const hone_user_op *op = user_op(ref->node);
  int inputs = hone_call_inputs(op, ref->input_count);
  int outputs = hone_call_outputs(op, ref->output_count);
  hone_call_tensors in, out;
  HONE_TRY(hone_call_tensors_make(ref->scratch, inputs, &in));
  HONE_TRY(hone_call_tensors_make(ref->scratch, outputs, &out));
  for (int i = 0; i < ref->input_count; i++) {
    if (!ref->in[i]) continue;
    hone_type type = type_of(ref->in[i]);
    hone_call_tensor_set(&in, i, &type, ref->in[i]->data);
  }
  for (int i = 0; i < ref->output_count; i++) {
    if (!ref->out[i]) continue;
    hone_type type = type_of(ref->out[i]);
    hone_call_tensor_set(&out, i, &type, ref->out[i]->data);
  }
  reference_call call = {.call = {.struct_size = sizeof call.call,
                                  .node = ref->node,
                                  .input_count = (size_t)inputs,
                                  .output_count = (size_t)outputs,
                                  .inputs = (const hone_tensor *const *)in.pointers,
                                  .outputs = out.pointers},
                         .objects = ref->objects};
  HONE_TRY(op->definition.reference(op->definition.user, &call.call));
  for (int i = 0; i < ref->output_count; i++)
    if (out.pointers[i] && ref->out[i] && (ref->node->op->facts & HONE_DATA_SHAPED))
      HONE_TRY(take_shape(out.pointers[i], i, ref->out[i]));
  return NULL;
}

const hone_user_op *hone_user_op_of(const hone_op *op) {
  return op->infer == user_infer ? (const hone_user_op *)op : NULL;
}

/* ---- Registering ------------------------------------------------------------------------------
 */

/* Definitions last as long as the process. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static hone_arena definitions;

static bool is_plain_word(const char *text) {
  return text && hone_is_word(text) && !strchr(text, '/');
}

/* "x w b?": words, the last of which may be any number of inputs. */
static bool is_signature(const char *text) {
  bool optional = false;
  for (const char *at = text ? text : ""; *at;) {
    size_t size = strcspn(at, " ");
    char mark = size ? at[size - 1] : ' ', name[40];
    size_t letters = size - (mark == '?' || mark == '*');
    if (letters == 0 || letters >= sizeof name) return false;
    memcpy(name, at, letters);
    name[letters] = 0;
    if (!is_plain_word(name) || (mark == '*' && at[size])) return false;
    if (optional && mark != '?' && mark != '*') return false;
    optional = mark == '?';
    at += size + (at[size] == ' ');
  }
  return text != NULL;
}

static hone_status *check_definition(const hone_op_definition *d) {
  const char *wrong = !is_plain_word(d->domain)   ? "its domain is no word"
                      : !is_plain_word(d->name)   ? "its name is no word"
                      : !is_signature(d->inputs)  ? "its inputs are not written 'x w b?'"
                      : !is_signature(d->outputs) ? "its outputs are not written 'y'"
                      : !*d->outputs              ? "it has no output"
                      : !d->shape                 ? "it has no shape function"
                      : !d->reference             ? "it has no reference"
                      : !d->plan != !d->kernel ? "a kernel needs a plan function, and it a kernel"
                      : (d->flags & ~3u)       ? "it has a flag that this library does not know"
                                               : NULL;
  return wrong ? hone_error(HONE_INVALID_ARGUMENT, "%s", wrong) : NULL;
}

static int count_names(const char *signature) {
  int count = *signature != 0;
  for (; *signature; signature++) count += *signature == ' ';
  return count;
}

static hone_status *fill(const hone_op_definition *d, hone_user_op *out) {
  char name[400];
  int size = snprintf(name, sizeof name, "%s/%s", d->domain, d->name);
  if (size < 0 || (size_t)size >= sizeof name)
    return hone_error(HONE_INVALID_ARGUMENT, "its name is too long");
  *out = (hone_user_op){
      .definition = *d,
      .op = {.name = hone_arena_text(&definitions, name, (size_t)size),
             .inputs = hone_arena_text(&definitions, d->inputs, strlen(d->inputs)),
             .outputs = hone_arena_text(&definitions, d->outputs, strlen(d->outputs)),
             .facts = HONE_FIXED_TYPES,
             .shape_inputs = d->shape_inputs,
             .infer = user_infer,
             .reference = user_reference}};
  if (!out->op.name || !out->op.inputs || !out->op.outputs) return hone_error_memory();
  out->named_inputs = count_names(d->inputs);
  out->named_outputs = count_names(d->outputs);
  if (d->flags & HONE_OP_IMPURE) out->op.facts |= HONE_IMPURE;
  if (d->flags & HONE_OP_DATA_SHAPED) out->op.facts |= HONE_DATA_SHAPED;
  return hone_schema_parse(d->attributes, &definitions, out->op.attrs);
}

/* Whether it is there already, as the same. */
static bool is_known(const hone_user_op *op) {
  const hone_op *known = hone_op_find(op->op.name, strlen(op->op.name));
  const hone_user_op *other = known ? hone_user_op_of(known) : NULL;
  const hone_op_definition *a = &op->definition, *b = other ? &other->definition : NULL;
  return b && a->shape == b->shape && a->reference == b->reference && a->plan == b->plan &&
         a->kernel == b->kernel && a->user == b->user;
}

static hone_status *define(const hone_op_definition *definition) {
  hone_user_op *op = HONE_NEW(&definitions, hone_user_op);
  HONE_TRY_MEMORY(op);
  HONE_TRY(check_definition(definition));
  HONE_TRY(fill(definition, op));
  return is_known(op) ? NULL : hone_op_register(&op->op);
}

hone_status *hone_op_define(const hone_op_definition *definition) {
  hone_op_definition read = {0};
  if (!definition || definition->struct_size < offsetof(hone_op_definition, plan))
    return hone_error(HONE_INVALID_ARGUMENT, "a definition's struct_size is not set");
  memcpy(&read, definition,
         definition->struct_size < sizeof read ? definition->struct_size : sizeof read);
  pthread_mutex_lock(&lock);
  hone_status *status = define(&read);
  pthread_mutex_unlock(&lock);
  return hone_error_at(status, "op '%.100s/%.100s'", read.domain ? read.domain : "",
                       read.name ? read.name : "");
}
