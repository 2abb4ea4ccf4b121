/* The CPU backend: its table of kernels behind the backend contract. Room: backend/cpu. */
#include <string.h>

#include "backend/cpu/isa.h"
#include "backend/cpu/rows.h"

static const hone_cpu_row rows[] = {
#define CPU_ROW(name, isa, family, number) {#name, isa, &hone_cpu_##family, number},
#include "backend/cpu/kernels.def"
#undef CPU_ROW
};
#define ROW_COUNT (sizeof rows / sizeof *rows)

/* Rows of a lower instruction set stand behind those of a higher one and only run where that is
 * missing or does not accept: one set is offered, the best that accepts. */
static size_t candidates(const hone_graph *body, hone_candidate *out, size_t room) {
  size_t count = 0;
  uint32_t isa = 0;
  for (size_t i = 0; i < ROW_COUNT; i++) {
    const hone_cpu_row *row = &rows[i];
    if (count && row->isa != isa) continue;
    if (!hone_isa_runs(row->isa) || !row->family->accepts(row, body)) continue;
    if (!count) isa = row->isa;
    if (count < room) out[count] = (hone_candidate){.name = row->name};
    count++;
  }
  return count;
}

static hone_status *prepare(const hone_graph *body, const char *name, int variant,
                            const hone_pack *saved, int saved_count, hone_arena *arena,
                            hone_prepared *out) {
  for (size_t i = 0; i < ROW_COUNT; i++) {
    const hone_cpu_row *row = &rows[i];
    if (strcmp(row->name, name) != 0) continue;
    if (!hone_isa_runs(row->isa) || !row->family->accepts(row, body)) break;
    *out = (hone_prepared){.backend = &hone_backend_cpu,
                           .body = body,
                           .kernel = row,
                           .variant = variant,
                           .saved_count = saved_count};
    for (int p = 0; p < saved_count; p++) out->packs[p] = saved[p];
    if (row->family->prepare) HONE_TRY(row->family->prepare(row, arena, out));
    if (saved_count && out->pack_count != saved_count)
      return hone_error(HONE_CORRUPT, "kernel %s has %d packs, not %d", name, out->pack_count,
                        saved_count);
    return NULL;
  }
  return hone_error(HONE_NOT_FOUND, "kernel '%.80s' does not run this here", name);
}

hone_status *hone_cpu_pack(hone_prepared *prepared, hone_arena *arena, size_t size, void **fresh,
                           const void **pack) {
  int index = prepared->pack_count++;
  if (index >= HONE_MAX_PACKS) return hone_error(HONE_INTERNAL, "too many packs");
  *fresh = NULL;
  if (prepared->saved_count) {
    if (index >= prepared->saved_count || prepared->packs[index].size != size)
      return hone_error(HONE_CORRUPT, "the packed weights have another size");
  } else {
    /* Rounded up and cleared, so that a kernel may read whole vectors. */
    *fresh = hone_arena_zero(arena, hone_align_up(size, 64) + 64);
    HONE_TRY_MEMORY(*fresh);
    prepared->packs[index] = (hone_pack){*fresh, size};
  }
  *pack = prepared->packs[index].bytes;
  return NULL;
}

static hone_status *plan(const hone_prepared *prepared, const hone_group_view *view,
                         hone_arena *arena, hone_step *out) {
  const hone_cpu_row *row = prepared->kernel;
  return row->family->plan(row, prepared, view, arena, out);
}

/* Operations below which waking a second worker costs more than it brings. */
#define SMALL_WORK 40000.0

void hone_cpu_step(const hone_kernel_plan *kernel, double work, int threads, hone_step *out) {
  *out = (hone_step){.phase_count = kernel->phase_count, .args = kernel->args};
  for (int i = 0; i < kernel->phase_count; i++) out->phases[i] = kernel->phases[i];
  out->parts = work < SMALL_WORK ? 1 : threads;
  out->scratch = kernel->shared_scratch + kernel->part_scratch * (size_t)out->parts;
}

const hone_backend hone_backend_cpu = {.name = "cpu",
                                       .candidates = candidates,
                                       .prepare = prepare,
                                       .plan = plan,
                                       .packing_version = 1};
