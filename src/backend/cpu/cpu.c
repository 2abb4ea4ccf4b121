/* The CPU backend: candidates, packing, planning. Room: backend/cpu. */
#include <string.h>

#include "backend/cpu/body.h"

/* The candidate of a body without a core. */
#define FORMULA_NAME "formula"

static bool has_algorithm(const hone_cpu_kernel *const *rows, size_t count, const char *name) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(rows[i]->algorithm, name) == 0) return true;
  return false;
}

static void put_in_order(hone_candidate *candidates, size_t count, hone_candidate one) {
  size_t at = count;
  for (; at > 0 && candidates[at - 1].estimate > one.estimate; at--)
    candidates[at] = candidates[at - 1];
  candidates[at] = one;
}

static bool holds(const hone_cpu_kernel *kernel, const hone_node *core) {
  return !kernel->functions->holds || kernel->functions->holds(kernel, core);
}

/* Whether the stages of the body, the core on `kernel`, stay within their limits. Where memory ran
 * out that stays open, and preparing the kernel will tell: it is no reason for another one. */
static bool fits(const hone_graph *body, const hone_cpu_kernel *kernel) {
  hone_arena trial = {0};
  hone_body *made;
  hone_status *status = hone_body_make(body, kernel, (hone_bytes){0}, &trial, &made);
  bool good = !status || hone_status_code(status) == HONE_OUT_OF_MEMORY;
  hone_status_free(status);
  hone_arena_free(&trial);
  return good;
}

#define MOST_ROWS 16
/* Rows guessed at so many times the best are not worth timing, and a chance to choose them by a
 * disturbed clock. */
#define TOO_SLOW 4

/* Rows come with the widest instruction set first, so the first of an algorithm is its best. */
static size_t candidates(const hone_graph *body, hone_candidate *out, size_t room) {
  if (!hone_body_accepts(body)) return 0;
  const hone_node *core = hone_body_core(body);
  if (!core) {
    if (!fits(body, NULL)) return 0;
    if (room) out[0] = (hone_candidate){FORMULA_NAME, 0, 0};
    return 1;
  }
  const hone_cpu_kernel *rows[MOST_ROWS], *k = NULL;
  hone_candidate all[MOST_ROWS];
  size_t count = 0;
  while (count < MOST_ROWS && (k = hone_cpu_kernel_next(core, k))) {
    if (has_algorithm(rows, count, k->algorithm) || !fits(body, k) || !holds(k, core)) continue;
    double estimate = k->functions->estimate ? k->functions->estimate(k, core) : (double)count;
    rows[count] = k;
    put_in_order(all, count++, (hone_candidate){k->name, 0, estimate});
  }
  while (count > 1 && core->op == &hone_op_conv && all[0].estimate > 0 &&
         all[count - 1].estimate > TOO_SLOW * all[0].estimate)
    count--;
  for (size_t i = 0; i < count && i < room; i++) out[i] = all[i];
  return count;
}

static hone_status *not_here(const char *name) {
  return hone_error(HONE_NOT_FOUND, "kernel '%s' does not take this group here", name);
}

/* The row called `name`, if it computes the body's core here. */
static hone_status *find_kernel(const hone_graph *body, const char *name,
                                const hone_cpu_kernel **out) {
  const hone_node *core = hone_body_core(body);
  *out = NULL;
  if (!hone_body_accepts(body)) return not_here(name);
  if (!core) return strcmp(name, FORMULA_NAME) == 0 ? NULL : not_here(name);
  while ((*out = hone_cpu_kernel_next(core, *out)))
    if (strcmp((*out)->name, name) == 0) return NULL;
  return not_here(name);
}

/* All weights and constants are one pack. */
static hone_status *take_pack(const hone_body *body, const hone_pack *saved, int saved_count,
                              hone_arena *arena, hone_prepared *out) {
  if (body->pack_size == 0) return NULL;
  out->pack_count = 1;
  if (saved_count > 0) {
    if (saved_count != 1 || saved[0].size != body->pack_size)
      return hone_error(HONE_CORRUPT, "packed weights of %zu bytes where %zu are needed",
                        saved[0].size, body->pack_size);
    out->packs[0] = saved[0];
    return NULL;
  }
  void *bytes = hone_arena_alloc(arena, body->pack_size);
  HONE_TRY_MEMORY(bytes);
  HONE_TRY(hone_body_pack(body, bytes));
  out->packs[0] = (hone_pack){bytes, body->pack_size};
  return NULL;
}

static hone_status *prepare(const hone_graph *graph, const char *name, int variant,
                            const hone_pack *saved, int saved_count, const hone_tuning *tuning,
                            hone_arena *arena, hone_prepared *out) {
  const hone_cpu_kernel *kernel;
  hone_body *body;
  (void)tuning;
  HONE_TRY(find_kernel(graph, name, &kernel));
  hone_bytes from = {0};
  if (saved_count == 1) from = (hone_bytes){saved[0].bytes, saved[0].size};
  HONE_TRY(hone_body_make(graph, kernel, from, arena, &body));
  *out = (hone_prepared){.backend = &hone_backend_cpu,
                         .body = graph,
                         .kernel = kernel,
                         .variant = variant,
                         .state = body};
  return take_pack(body, saved, saved_count, arena, out);
}

static hone_status *plan(const hone_prepared *prepared, const hone_group_view *view,
                         hone_arena *arena, hone_step *out) {
  return hone_body_plan(prepared->state, prepared->packs[0].bytes, view, arena, out);
}

static bool pitches(const hone_prepared *prepared) {
  return hone_body_pitches(prepared->state);
}

static bool reads_pitched(const hone_prepared *prepared, int input) {
  return hone_body_reads_pitched(prepared->state, input);
}

const hone_backend hone_backend_cpu = {
    .name = "cpu",
    .candidates = candidates,
    .prepare = prepare,
    .plan = plan,
    .pitches = pitches,
    .reads_pitched = reads_pitched,
    .packing_version = 3,
};
