/* Loops of both generations as the op `loop`: tensors are carried, what stays is captured, a list
 * that each turn sets one item of is stacked. Room: import. */
#include <string.h>

#include "import/regions.h"
#include "import/tensorflow/importer.h"

hone_status *tf_capture(tf_importer *importer, hone_graph *region, int first, int offset,
                        tf_value value, tf_value *out) {
  *out = value;
  if (value.value)
    HONE_TRY(hone_region_capture(region, first, offset, value.value, &out->value));
  if (value.kind != TF_LIST) return NULL;
  tf_list *list = hone_arena_copy(&importer->scratch, value.list, sizeof *list);
  HONE_TRY_MEMORY(list);
  out->list = list;
  return hone_region_capture(region, first, offset, value.list->count, &list->count);
}

hone_value *tf_truth(hone_call *call, hone_value *x) {
  if (x->type.dtype != HONE_BOOL) x = hone_emit_cast(call, x, HONE_BOOL);
  return x->type.shape.rank == 0 ? x : hone_emit_reshape(call, x, NULL, 0);
}

/* How the variables run: captured (fixed), carried, or stacked; LAST is a stack of which only what
 * the last turn set is kept. */
typedef enum role { FIXED, CARRIED, STACKED, LAST } role;

typedef struct emission {
  hone_looping base; /* first */
  tf_looping *loop;
  role *roles;
  tf_value *in, *turned; /* inside the region */
} emission;

/* The variables as the region's body sees them. */
static hone_status *bind_variables(emission *e, hone_graph *region) {
  tf_looping *loop = e->loop;
  tf_importer *importer = loop->call->importer;
  int first = 2 + (int)e->base.carried, at = 2;
  for (int i = 0; i < loop->count; i++) {
    const tf_value *initial = &loop->initial[i];
    tf_value value = *initial;
    if (e->roles[i] == CARRIED) value.value = NULL; /* not captured: it has an input of its own */
    HONE_TRY(tf_capture(importer, region, first, 0, value, &e->in[i]));
    if (e->roles[i] == CARRIED) e->in[i].value = region->inputs[at++];
    if (e->roles[i] >= STACKED) ((tf_list *)(uintptr_t)e->in[i].list)->slot = 1 + i;
  }
  return NULL;
}

/* Whether `index` counts the turns: it is a variable that starts at 0 and grows by 1. */
static bool counts_turns(const emission *e, const hone_value *index) {
  const tf_looping *loop = e->loop;
  if (index->producer && index->producer->op == &hone_op_cast)
    index = index->producer->inputs[0].value;
  for (int i = 0; i < loop->count; i++) {
    int64_t start, step;
    size_t count;
    const hone_value *next = e->turned[i].value;
    if (e->roles[i] != CARRIED || e->in[i].value != index || !next || !next->producer) continue;
    const hone_node *sum = next->producer;
    if (sum->op != &hone_op_add || !hone_known_ints(loop->initial[i].value, &start, 1, &count) ||
        count != 1 || start != 0)
      return false;
    int mine = sum->inputs[0].value == index ? 0 : 1;
    return sum->inputs[mine].value == index &&
           hone_known_ints(sum->inputs[1 - mine].value, &step, 1, &count) && count == 1 &&
           step == 1;
  }
  return false;
}

/* A list of one item that every turn sets anew. */
static bool sets_the_one(const tf_list *list) {
  int64_t index, items;
  size_t count;
  return hone_known_ints(list->index, &index, 1, &count) && count == 1 && index == 0 &&
         hone_known_int_at(list->count, 0, &items) && items == 1;
}

static hone_status *stack_item(emission *e, int i, hone_value **out) {
  const tf_value *turned = &e->turned[i];
  bool set = turned->kind == TF_LIST && turned->list->stacked && turned->list->slot == 1 + i;
  if (set && sets_the_one(turned->list))
    e->roles[i] = LAST;
  else if (!set || !counts_turns(e, turned->list->index))
    return hone_error(HONE_UNSUPPORTED, "a list whose items are not set one a turn, in order");
  *out = turned->list->stacked;
  return NULL;
}

static hone_status *collect_results(emission *e, hone_value **out) {
  size_t carried = 1, scanned = 1 + e->base.carried;
  for (int i = 0; i < e->loop->count; i++) {
    const tf_value *turned = &e->turned[i];
    if (e->roles[i] == CARRIED) {
      if (!turned->value) return hone_error(HONE_UNSUPPORTED, "variable %d becomes no tensor", i);
      out[carried++] = turned->value;
    }
    if (e->roles[i] >= STACKED) HONE_TRY(stack_item(e, i, &out[scanned++]));
  }
  return NULL;
}

static hone_status *fill(hone_looping *base, hone_graph *region, hone_value **out) {
  emission *e = (emission *)base;
  HONE_TRY(bind_variables(e, region));
  HONE_TRY(e->loop->turn(e->loop, region, e->in, e->turned, &out[0]));
  return collect_results(e, out);
}

static hone_value *last_item(hone_call *call, hone_value *items) {
  static const int64_t last = -1, end = INT64_MAX, axis = 0;
  return HONE_EMIT(call, "slice", items, hone_emit_ints(call, &last, 1),
                   hone_emit_ints(call, &end, 1), hone_emit_ints(call, &axis, 1));
}

/* Items behind those that turns have set are zeros. */
static hone_value *pad_items(hone_call *call, hone_value *items, const tf_list *list) {
  int64_t dims[HONE_MAX_RANK], none[2 * HONE_MAX_RANK] = {0}, known;
  int rank = hone_emit_rank(call, items);
  if (call->status || rank < 1) return items;
  hone_value *left = HONE_EMIT(call, "sub", hone_emit_reshape(call, list->count, &(int64_t){1}, 1),
                               hone_emit_dims(call, items, 0, 1));
  hone_value *const parts[] = {hone_emit_ints(call, none, (size_t)rank), left,
                               hone_emit_ints(call, none, (size_t)rank - 1)};
  hone_node *node = hone_emit_begin(call, "concat", parts, rank > 1 ? 3 : 2, 1);
  hone_emit_set_int(call, node, "axis", 0);
  items = HONE_EMIT(call, "pad", items, hone_emit_end(call, node));
  if (!hone_known_int_at(list->count, 0, &known)) return items;
  for (int i = 0; i < rank; i++) dims[i] = i ? 0 : known; /* 0: as it is */
  return hone_emit_reshape(call, items, dims, (size_t)rank);
}

static hone_status *give(emission *e, hone_value *const *results, tf_value *out) {
  hone_call *call = &e->loop->call->base;
  size_t carried = 0, scanned = e->base.carried;
  for (int i = 0; i < e->loop->count; i++) {
    out[i] = e->loop->initial[i];
    if (e->roles[i] == CARRIED) out[i].value = results[carried++];
    if (e->roles[i] == STACKED) out[i].value = pad_items(call, results[scanned++], out[i].list);
    if (e->roles[i] == LAST) out[i].value = last_item(call, results[scanned++]);
  }
  return NULL;
}

static hone_status *choose_roles(emission *e) {
  tf_looping *loop = e->loop;
  for (int i = 0; i < loop->count; i++) {
    const tf_value *initial = &loop->initial[i];
    bool fixed = loop->fixed[i] || initial->kind == TF_VARIABLE;
    e->roles[i] = fixed ? FIXED : initial->kind == TF_LIST && !initial->value ? STACKED : CARRIED;
    if (e->roles[i] == CARRIED) e->base.initial[e->base.carried++] = initial->value;
    if (e->roles[i] == STACKED) e->base.scanned++;
    if (initial->kind == TF_NOTHING)
      return hone_error(HONE_UNSUPPORTED, "variable %d starts as nothing", i);
  }
  return NULL;
}

hone_status *tf_emit_loop(tf_looping *loop, tf_value *out) {
  hone_arena *scratch = &loop->call->importer->scratch;
  emission e = {.base = {.call = &loop->call->base, .fill = fill}, .loop = loop};
  e.roles = HONE_NEW_ARRAY(scratch, loop->count + 1, role);
  e.in = HONE_NEW_ARRAY(scratch, loop->count + 1, tf_value);
  e.turned = HONE_NEW_ARRAY(scratch, loop->count + 1, tf_value);
  e.base.initial = HONE_NEW_ARRAY(scratch, loop->count + 1, hone_value *);
  hone_value **results = HONE_NEW_ARRAY(scratch, loop->count + 1, hone_value *);
  if (!e.roles || !e.in || !e.turned || !e.base.initial || !results) return hone_error_memory();
  HONE_TRY(choose_roles(&e));
  HONE_TRY(loop->test(loop, e.base.call->graph, loop->initial, &e.base.condition));
  HONE_TRY(hone_emit_loop(&e.base, results));
  return e.base.call->status ? NULL : give(&e, results, out);
}
