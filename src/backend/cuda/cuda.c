/* The CUDA backend: candidates, packs, planning. Room: backend/cuda. */
#include <string.h>

#include "backend/cuda/code.h"
#include "backend/cuda/device.h"
#include "backend/cuda/group.h"
#include "backend/cuda/packs.h"
#include "backend/cuda/rows.h"
#include "ops/byte_table.h"

/* ---- Candidates ------------------------------------------------------------------------------ */

static bool is_there(const hone_cuda_kernel *row) {
  hone_status *status = row->available ? row->available() : NULL;
  hone_status_free(status);
  return !status;
}

/* Whether the row's kernel computes all stages of the body. */
static bool spans_body(const hone_cuda_kernel *row, const hone_graph *graph, int sm) {
  hone_arena trial = {0};
  hone_cuda_body *body;
  if (!row->spans || row->least_sm > sm) return false;
  hone_status *status = hone_cuda_body_make(graph, sm, (hone_cuda_way){row, 1}, &trial, &body);
  bool good = !status;
  hone_status_free(status);
  hone_arena_free(&trial);
  return good;
}

/* The row whose kernel computes all stages of the body; NULL: none does. Then there is no other choice
 * than it and the first rows, since the body is one group for its sake. */
static const hone_cuda_kernel *spanning(const hone_graph *graph, int sm) {
  size_t rows;
  const hone_cuda_kernel *const *table = hone_cuda_kernels(&rows);
  for (size_t r = 0; r < rows; r++)
    if (spans_body(table[r], graph, sm)) return table[r];
  return NULL;
}

/* Whether the row would run a core of the body in place of the first row, or in another variant. */
static bool is_offered(const hone_cuda_kernel *row, const hone_cuda_kernel *span,
                       const hone_graph *graph, int sm) {
  if (span || row->spans) return row == span;
  if (!row->candidate || !is_there(row)) return false;
  for (const hone_node *n = graph->first; n; n = n->next)
    if (hone_cuda_kernel_takes(row, n, sm)) return true;
  return false;
}

#define HONE_CUDA_AT_ONCE_VARIANT 4096 /* and a variant: that, and what follows may begin at once */

/* Behind them the same of Hone's own, which let what follows begin at once. */
static size_t offer_at_once(hone_candidate *out, size_t count, size_t room) {
  size_t all = count;
  for (size_t c = 0; c < count && count <= room; c++) {
    if (out[c].needs) continue;
    if (all < room) {
      out[all] = out[c];
      out[all].inside = true;
      out[all].variant += HONE_CUDA_AT_ONCE_VARIANT;
      out[all].like = c;
    }
    all++;
  }
  return all;
}

static size_t offer(const hone_graph *graph, int sm, hone_candidate *out, size_t room) {
  size_t rows, count = 0;
  const hone_cuda_kernel *const *table = hone_cuda_kernels(&rows), *span = spanning(graph, sm);
  if (room) out[0] = (hone_candidate){.name = HONE_CUDA_NAME};
  count++;
  for (size_t r = 0; r < rows; r++) {
    if (!is_offered(table[r], span, graph, sm)) continue;
    for (int v = 1; v <= table[r]->variants; v++, count++)
      if (count < room)
        out[count] = (hone_candidate){
            .name = table[r]->candidate, .variant = v, .needs = table[r]->needs};
  }
  return sm >= HONE_CUDA_LEAST_FOLLOWING && room ? offer_at_once(out, count, room) : count;
}

static size_t candidates(const hone_graph *graph, hone_candidate *out, size_t room) {
  hone_arena trial = {0};
  hone_cuda_body *body;
  int sm = 0;
  hone_status *status = hone_cuda_capability(&sm);
  if (!status) status = hone_cuda_body_make(graph, sm, (hone_cuda_way){0}, &trial, &body);
  bool good = !status || hone_status_code(status) == HONE_OUT_OF_MEMORY;
  hone_status_free(status);
  hone_arena_free(&trial);
  return good ? offer(graph, sm, out, room) : 0;
}

/* ---- Preparing ------------------------------------------------------------------------------ */

static void put_constant(unsigned char *pack, const hone_cuda_constant *constant) {
  if (constant->table) hone_byte_table(constant->table, pack + constant->at);
  else memcpy(pack + constant->at, constant->value->constant, constant->value->constant_size);
}

/* The constants are the first pack, what the group is tuned for the last. */
static hone_status *fill_pack(const hone_cuda_body *body, const hone_pack *saved, int saved_count,
                              hone_arena *arena, hone_prepared *out) {
  if (body->pack_size == 0) return NULL;
  out->pack_count = 1;
  if (saved_count > 0) {
    if (saved[0].size != body->pack_size)
      return hone_error(HONE_CORRUPT, "packed weights of %zu bytes where %zu are needed",
                        saved[0].size, body->pack_size);
    out->packs[0] = saved[0];
    return NULL;
  }
  unsigned char *bytes = hone_arena_zero(arena, body->pack_size);
  HONE_TRY_MEMORY(bytes);
  for (int i = 0; i < body->constant_count; i++) put_constant(bytes, &body->constants[i]);
  out->packs[0] = (hone_pack){bytes, body->pack_size};
  return NULL;
}

static hone_status *fill_tuning(hone_cuda_group *group, const hone_pack *saved, int saved_count,
                                const hone_tuning *tuning, hone_arena *arena, hone_prepared *out) {
  hone_tuning last = {.view = NULL};
  if (!group->chosen) return NULL;
  if (!tuning) {
    if (saved_count != out->pack_count + 1)
      return hone_error(HONE_CORRUPT, "a group has no tuning");
    last.saved = saved[saved_count - 1];
    tuning = &last;
  }
  return hone_cuda_group_tune(group, tuning, arena, &out->packs[out->pack_count++], out->missing,
                              sizeof out->missing);
}

/* Calls `visit` for the text of each kernel of the body, with where its function goes. */
typedef hone_status *visit_text(void *argument, const char *text, void **function);

static hone_status *visit_one(const hone_cuda_stage *stage, int form, void **function,
                              visit_text *visit, void *argument) {
  hone_text text = {0};
  hone_cuda_stage_text(stage, form, &text);
  hone_status *status = hone_text_status(&text);
  if (!status) status = visit(argument, text.data, function);
  hone_text_free(&text);
  return status;
}

static hone_status *visit_texts(hone_cuda_body *body, visit_text *visit, void *argument) {
  for (int i = 0; body && i < body->stage_count; i++) {
    hone_cuda_stage *stage = &body->stages[i];
    for (int f = 0; f < HONE_CUDA_FORMS; f++)
      if (hone_cuda_has_form(stage, f, body->sm))
        HONE_TRY(visit_one(stage, f, &stage->functions[f], visit, argument));
  }
  return NULL;
}

static hone_status *compile_text(void *argument, const char *text, void **function) {
  (void)argument;
  return hone_cuda_compile(text, function);
}

static hone_status *find_way(const char *name, int variant, hone_cuda_way *out) {
  const hone_cuda_kernel *kernel = hone_cuda_kernel_named(name);
  int within = variant % HONE_CUDA_AT_ONCE_VARIANT;
  *out = (hone_cuda_way){kernel, within, variant >= HONE_CUDA_AT_ONCE_VARIANT};
  bool known = variant >= 0 && variant < 2 * HONE_CUDA_AT_ONCE_VARIANT &&
               (kernel ? within >= 1 && within <= kernel->variants
                       : within == 0 && strcmp(name, HONE_CUDA_NAME) == 0);
  return known ? NULL
               : hone_error(HONE_NOT_FOUND, "kernel '%s' %d does not run groups on the GPU", name,
                            variant);
}

static hone_status *make_group(const hone_graph *graph, const char *name, int variant,
                               hone_arena *arena, hone_cuda_group **out) {
  hone_cuda_way way;
  int sm;
  HONE_TRY(hone_cuda_capability(&sm));
  HONE_TRY(find_way(name, variant, &way));
  hone_status *status = hone_cuda_group_make(graph, way, sm, arena, out);
  if (hone_status_code(status) != HONE_UNSUPPORTED) return status;
  hone_status_free(status);
  return hone_error(HONE_NOT_FOUND, "kernel '%s' does not take this group on the GPU", name);
}

static hone_status *put_pack(hone_cuda_group *group, const hone_prepared *prepared) {
  if (group->any->pack_size == 0) return NULL;
  const hone_pack *pack = &prepared->packs[0];
  HONE_TRY(hone_cuda_share(pack->bytes, pack->size, &group->any->pack));
  group->any->packed = pack->bytes;
  if (!group->chosen) return NULL;
  group->chosen->pack = group->any->pack;
  group->chosen->packed = pack->bytes;
  return NULL;
}

static void release(hone_prepared *prepared) {
  hone_cuda_group *group = prepared->state;
  hone_cuda_body_drop(group->chosen);
  if (group->any->pack) hone_cuda_unshare(group->any->pack);
  group->any->pack = NULL;
}

static hone_status *prepare(const hone_graph *graph, const char *name, int variant,
                            const hone_pack *saved, int saved_count, const hone_tuning *tuning,
                            hone_arena *arena, hone_prepared *out) {
  hone_cuda_group *group;
  HONE_TRY(make_group(graph, name, variant, arena, &group));
  *out = (hone_prepared){
      .backend = &hone_backend_cuda, .body = graph, .variant = variant, .state = group};
  if (group->chosen && group->chosen->way.kernel) out->needs = group->chosen->way.kernel->needs;
  HONE_TRY(fill_pack(group->any, saved, saved_count, arena, out));
  HONE_TRY(put_pack(group, out));
  hone_status *status = fill_tuning(group, saved, saved_count, tuning, arena, out);
  if (!status) status = visit_texts(group->any, compile_text, NULL);
  if (!status) status = visit_texts(group->chosen, compile_text, NULL);
  if (status) release(out);
  return status;
}

static hone_status *plan(const hone_prepared *prepared, const hone_group_view *view,
                         hone_arena *arena, hone_step *out) {
  return hone_cuda_group_plan(prepared->state, view, arena, out);
}

static bool takes(const hone_node *node) {
  int sm;
  hone_status *status = hone_cuda_capability(&sm);
  bool known = !status;
  hone_status_free(status);
  return known && (hone_cuda_kernel_for(node, sm) || hone_cuda_pointwise_accepts(node));
}

static bool joins(const hone_node *const *layers, int count) {
  int sm;
  hone_status *status = hone_cuda_capability(&sm);
  bool known = !status;
  hone_status_free(status);
  size_t rows, r = 0;
  const hone_cuda_kernel *const *table = hone_cuda_kernels(&rows);
  while (known && r < rows && !(table[r]->spans && table[r]->span == count &&
                                table[r]->least_sm <= sm && table[r]->spans(layers)))
    r++;
  return known && r < rows;
}

/* ---- Machine code --------------------------------------------------------------------------- */

typedef struct text_list {
  hone_arena memory;
  const char **items;
  size_t count, room;
} text_list;

static hone_status *collect_text(void *argument, const char *text, void **function) {
  text_list *list = argument;
  (void)function;
  if (list->count == list->room) {
    size_t room = list->room ? list->room * 2 : 64;
    const char **items = HONE_NEW_ARRAY(&list->memory, room, const char *);
    HONE_TRY_MEMORY(items);
    for (size_t i = 0; i < list->count; i++) items[i] = list->items[i];
    list->items = items;
    list->room = room;
  }
  list->items[list->count] = hone_arena_text(&list->memory, text, strlen(text));
  return list->items[list->count++] ? NULL : hone_error_memory();
}

/* What no stages can be made of has no kernels. */
static hone_status *collect_way(text_list *list, const hone_graph *graph, hone_cuda_way way) {
  hone_arena trial = {0};
  hone_cuda_body *body;
  int sm;
  HONE_TRY(hone_cuda_capability(&sm));
  hone_status *status = hone_cuda_body_make(graph, sm, way, &trial, &body);
  if (!status) {
    status = visit_texts(body, collect_text, list);
  } else if (hone_status_code(status) == HONE_UNSUPPORTED) {
    hone_status_free(status);
    status = NULL;
  }
  hone_arena_free(&trial);
  return status;
}

static hone_status *collect_body(text_list *list, const hone_graph *graph, bool all) {
  size_t rows;
  int sm;
  const hone_cuda_kernel *const *table = hone_cuda_kernels(&rows);
  HONE_TRY(hone_cuda_capability(&sm));
  HONE_TRY(collect_way(list, graph, (hone_cuda_way){0}));
  const hone_cuda_kernel *span = spanning(graph, sm);
  for (size_t r = 0; all && r < rows; r++) {
    int variants = table[r]->form_a_variant ? table[r]->variants : 1;
    for (int v = 1; v <= variants && is_offered(table[r], span, graph, sm); v++)
      HONE_TRY(collect_way(list, graph, (hone_cuda_way){table[r], v}));
  }
  return NULL;
}

static hone_status *make_code(const hone_graph *const *bodies, size_t count, bool all) {
  text_list list = {.count = 0};
  hone_status *status = NULL;
  for (size_t i = 0; i < count && !status; i++) status = collect_body(&list, bodies[i], all);
  if (!status) status = hone_cuda_code_make(list.items, list.count);
  hone_arena_free(&list.memory);
  return status;
}

static size_t functions_of(const hone_cuda_body *body, hone_cu_function *out) {
  size_t count = 0;
  for (int i = 0; body && i < HONE_CUDA_FORMS * body->stage_count; i++) {
    void *function = body->stages[i / HONE_CUDA_FORMS].functions[i % HONE_CUDA_FORMS];
    if (function) out[count++] = function;
  }
  return count;
}

static hone_status *save_code(const hone_prepared *const *groups, size_t count, hone_text *out) {
  hone_arena memory = {0};
  size_t used = 0, room = 2 * HONE_CUDA_FORMS * HONE_CUDA_STAGES * count + 1;
  hone_cu_function *functions = HONE_NEW_ARRAY(&memory, room, hone_cu_function);
  for (size_t g = 0; functions && g < count; g++) {
    const hone_cuda_group *group = groups[g]->state;
    used += functions_of(group->any, functions + used);
    used += functions_of(group->chosen, functions + used);
  }
  hone_status *status = functions ? hone_cuda_code_save(functions, used, out) : hone_error_memory();
  hone_arena_free(&memory);
  return status;
}

static const char *library_of(const char *candidate, hone_status **missing) {
  const hone_cuda_kernel *row = hone_cuda_kernel_named(candidate);
  *missing = row && row->available ? row->available() : NULL;
  return row ? row->needs : NULL;
}

static const hone_backend_code code = {.can_make = hone_cuda_code_can_make,
                                       .make = make_code,
                                       .save = save_code,
                                       .load = hone_cuda_code_load,
                                       .known = hone_cuda_code_known,
                                       .compiled = hone_cuda_code_compile_count,
                                       .recall = hone_cuda_code_recall,
                                       .needs = hone_cuda_code_needs_of,
                                       .fits = hone_cuda_code_fits,
                                       .library = library_of};

const hone_backend hone_backend_cuda = {
    .name = "cuda",
    .takes = takes,
    .joins = joins,
    .candidates = candidates,
    .prepare = prepare,
    .plan = plan,
    .release = release,
    .device = &hone_cuda_device,
    .code = &code,
    .packing_version = 1,
};
