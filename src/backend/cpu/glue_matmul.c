/* Bodies around a matmul: rows of the families gemm (constant right side, packed) and matmul (both
 * sides made at run time). Room: backend/cpu. */
#include <string.h>

#include "backend/cpu/body.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/matmul.h"
#include "backend/cpu/rows.h"

enum { A, B, BIAS };

typedef struct matmul_state {
  const hone_tile_set *tiles;
  const float *packed; /* gemm */
  hone_kept_finish finish;
} matmul_state;

static const hone_tile_set *tiles_of(const hone_cpu_row *row) {
  for (const hone_tile_set *const *set = hone_tile_sets_f32; *set; set++)
    if ((*set)->isa == row->isa) return *set;
  return NULL;
}

static const hone_node *core_of(const hone_graph *body) {
  const hone_node *core = hone_body_core(body);
  return core && core->op == &hone_op_matmul ? core : NULL;
}

/* What both families ask: f32, no scale, a finish that can be done. */
static const hone_node *common_core(const hone_cpu_row *row, const hone_graph *body,
                                    hone_body_finish *finish) {
  const hone_node *core = core_of(body);
  if (!core || !tiles_of(row) || hone_node_real(core, "alpha") != 1) return NULL;
  for (int i = A; i <= B; i++)
    if (core->inputs[i].value->type.dtype != HONE_F32) return NULL;
  if (core->outputs[0]->type.shape.rank < 1) return NULL;
  return hone_body_finish_of(body, core, hone_node_in(core, BIAS), finish) ? core : NULL;
}

static hone_status *common_prepare(const hone_cpu_row *row, hone_arena *arena,
                                   hone_prepared *prepared, matmul_state **out) {
  hone_body_finish finish;
  if (!common_core(row, prepared->body, &finish))
    return hone_error(HONE_INTERNAL, "kernel %s was given a body it does not accept", row->name);
  matmul_state *state = HONE_NEW(arena, matmul_state);
  HONE_TRY_MEMORY(state);
  state->tiles = tiles_of(row);
  prepared->state = *out = state;
  return hone_body_finish_keep(prepared->body, &finish, arena, &state->finish);
}

/* ---- gemm: [rows, K] times a constant [K, N] --------------------------------------------------- */

static bool gemm_accepts(const hone_cpu_row *row, const hone_graph *body) {
  hone_body_finish finish;
  const hone_node *core = common_core(row, body, &finish);
  if (!core || hone_node_flag(core, "transpose_a")) return false;
  const hone_value *b = core->inputs[B].value;
  return hone_body_constant(b) && b->type.shape.rank == 2 &&
         core->inputs[A].value->type.shape.rank >= 2 &&
         hone_body_input(body, core->inputs[A].value) >= 0;
}

static hone_status *gemm_prepare(const hone_cpu_row *row, hone_arena *arena,
                                 hone_prepared *prepared) {
  matmul_state *state;
  HONE_TRY(common_prepare(row, arena, prepared, &state));
  const hone_node *core = core_of(prepared->body);
  const hone_value *b = core->inputs[B].value;
  bool transposed = hone_node_flag(core, "transpose_b");
  size_t depth = (size_t)b->type.shape.dim[transposed], columns = (size_t)b->type.shape.dim[!transposed];
  size_t floats = hone_pack_size(state->tiles, 1, 1, depth, columns);
  void *fresh;
  const void *packed;
  HONE_TRY(hone_cpu_pack(prepared, arena, floats * sizeof(float), &fresh, &packed));
  state->packed = packed;
  if (!fresh) return NULL;
  hone_arena aligned = {0};
  size_t count;
  const float *data = hone_body_floats(b, &aligned, &count);
  hone_weight_strides strides = {0, 0, transposed ? 1 : (ptrdiff_t)columns,
                                 transposed ? (ptrdiff_t)depth : 1};
  if (data) hone_pack_weights(state->tiles, 1, 1, depth, columns, data, strides, fresh);
  hone_arena_free(&aligned);
  return data ? NULL : hone_error_memory();
}

static hone_status *gemm_plan(const hone_cpu_row *row, const hone_prepared *prepared,
                              const hone_group_view *view, hone_arena *arena, hone_step *out) {
  (void)row;
  const matmul_state *state = prepared->state;
  const hone_node *core = core_of(prepared->body);
  const hone_shape *a = &view->types[core->inputs[A].value->id].shape;
  const hone_shape *y = &view->types[core->outputs[0]->id].shape;
  hone_gemm *args = HONE_NEW(arena, hone_gemm);
  HONE_TRY_MEMORY(args);
  size_t depth = (size_t)a->dim[a->rank - 1], columns = (size_t)y->dim[y->rank - 1];
  *args = (hone_gemm){.sweep = {.tiles = state->tiles,
                                .rows = hone_shape_span(a, 0, a->rank - 1),
                                .groups = 1,
                                .columns = columns,
                                .taps = 1,
                                .depth = depth,
                                .weights = state->packed,
                                .out_stride = (ptrdiff_t)columns},
                      .a = hone_body_input(prepared->body, core->inputs[A].value),
                      .a_stride = (ptrdiff_t)depth};
  HONE_TRY(hone_body_finish_plan(&state->finish, view->types, arena, &args->sweep.finish));
  hone_sweep_plan(&args->sweep);
  hone_kernel_plan plan = {.phases = {hone_gemm_run},
                           .phase_count = 1,
                           .args = args,
                           .part_scratch = hone_sweep_scratch(&args->sweep)};
  hone_cpu_step(&plan, (double)args->sweep.rows * (double)columns * (double)depth, view->threads,
                out);
  return NULL;
}

const hone_cpu_family hone_cpu_gemm = {gemm_accepts, gemm_prepare, gemm_plan};

/* ---- matmul: both operands are inputs -------------------------------------------------------- */

static bool matmul_accepts(const hone_cpu_row *row, const hone_graph *body) {
  hone_body_finish finish;
  const hone_node *core = common_core(row, body, &finish);
  if (!core) return false;
  for (int i = A; i <= B; i++) {
    const hone_value *operand = core->inputs[i].value;
    if (hone_body_input(body, operand) < 0 || operand->type.shape.rank < 2 ||
        operand->type.shape.rank > HONE_MATMUL_BATCH + 2)
      return false;
  }
  return true;
}

static hone_status *matmul_prepare(const hone_cpu_row *row, hone_arena *arena,
                                   hone_prepared *prepared) {
  matmul_state *state;
  return common_prepare(row, arena, prepared, &state);
}

/* Strides of an operand's batch dims as broadcast to the result's. */
static void batch_strides(const hone_shape *operand, const hone_shape *result,
                          ptrdiff_t *strides) {
  int64_t own[HONE_MAX_RANK];
  hone_shape_strides(operand, own);
  int lead = result->rank - operand->rank;
  for (int i = 0; i < result->rank - 2; i++) {
    int axis = i - lead;
    strides[i] = axis < 0 || operand->dim[axis] == 1 ? 0 : (ptrdiff_t)own[axis];
  }
}

static hone_status *matmul_plan(const hone_cpu_row *row, const hone_prepared *prepared,
                                const hone_group_view *view, hone_arena *arena, hone_step *out) {
  (void)row;
  const matmul_state *state = prepared->state;
  const hone_node *core = core_of(prepared->body);
  const hone_shape *a = &view->types[core->inputs[A].value->id].shape;
  const hone_shape *b = &view->types[core->inputs[B].value->id].shape;
  const hone_shape *y = &view->types[core->outputs[0]->id].shape;
  bool at = hone_node_flag(core, "transpose_a"), bt = hone_node_flag(core, "transpose_b");
  hone_matmul matmul = {.tiles = state->tiles,
                        .batch_rank = y->rank - 2,
                        .rows = (size_t)y->dim[y->rank - 2],
                        .columns = (size_t)y->dim[y->rank - 1],
                        .depth = (size_t)a->dim[a->rank - (at ? 2 : 1)],
                        .a = hone_body_input(prepared->body, core->inputs[A].value),
                        .b = hone_body_input(prepared->body, core->inputs[B].value)};
  ptrdiff_t a_columns = (ptrdiff_t)a->dim[a->rank - 1], b_columns = (ptrdiff_t)b->dim[b->rank - 1];
  matmul.a_row = at ? 1 : a_columns;
  matmul.a_depth = at ? a_columns : 1;
  matmul.b_depth = bt ? 1 : b_columns;
  matmul.b_column = bt ? b_columns : 1;
  matmul.out_row = (ptrdiff_t)matmul.columns;
  double batches = 1;
  for (int i = 0; i < matmul.batch_rank; i++) {
    matmul.batch[i] = (size_t)y->dim[i];
    batches *= (double)y->dim[i];
  }
  batch_strides(a, y, matmul.a_batch);
  batch_strides(b, y, matmul.b_batch);
  batch_strides(y, y, matmul.out_batch);
  HONE_TRY(hone_body_finish_plan(&state->finish, view->types, arena, &matmul.finish));
  hone_kernel_plan plan = {.phase_count = 0};
  HONE_TRY(hone_matmul_plan(&matmul, arena, &plan));
  hone_cpu_step(&plan, batches * (double)matmul.rows * (double)matmul.columns * (double)matmul.depth,
                view->threads, out);
  return NULL;
}

const hone_cpu_family hone_cpu_matmul = {matmul_accepts, matmul_prepare, matmul_plan};
