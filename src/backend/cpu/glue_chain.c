/* Bodies of pointwise nodes alone: the family chain. Room: backend/cpu. */
#include <string.h>

#include "backend/cpu/body.h"
#include "backend/cpu/chain.h"
#include "backend/cpu/rows.h"
#include "base/pool.h"

/* A chain over one space: rows of `columns` elements that lie together in every operand. */
typedef struct chain_args {
  const hone_chain *chain;
  hone_chain_op *const *set;
  hone_chain_rows rows[HONE_CHAIN_OPERANDS];
  size_t row_count, columns;
} chain_args;

static bool chain_accepts(const hone_cpu_row *row, const hone_graph *body) {
  (void)row;
  hone_chain chain;
  if (!body->first || !hone_chain_compile(body, NULL, NULL, &chain)) return false;
  /* All results have one shape, which every step's does not exceed. */
  for (int i = 1; i < body->output_count; i++)
    if (!hone_shape_equal(&body->outputs[i].value->type.shape,
                          &body->outputs[0].value->type.shape))
      return false;
  return body->output_count > 0;
}

static hone_status *chain_prepare(const hone_cpu_row *row, hone_arena *arena,
                                  hone_prepared *prepared) {
  hone_chain *chain = HONE_NEW(arena, hone_chain);
  HONE_TRY_MEMORY(chain);
  if (!hone_chain_compile(prepared->body, NULL, arena, chain))
    return hone_error(HONE_INTERNAL, "kernel %s was given a body it does not accept", row->name);
  prepared->state = chain;
  return NULL;
}

static void chain_run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const chain_args *a = args;
  const hone_chain *chain = a->chain;
  const void *data[HONE_CHAIN_OPERANDS];
  int step[HONE_CHAIN_OPERANDS];
  void *out[HONE_CHAIN_OPERANDS];
  /* Few long rows are split along their length, in whole blocks; many along their number. */
  bool by_row = a->row_count >= (size_t)parts * 4;
  size_t row, row_end, column, column_end;
  hone_split(by_row ? a->row_count : a->columns, by_row ? 1 : HONE_CHAIN_BLOCK, part, parts,
             by_row ? &row : &column, by_row ? &row_end : &column_end);
  if (by_row) column = 0, column_end = a->columns;
  else row = 0, row_end = a->row_count;
  if (column == column_end) return;
  for (int i = 0; i < chain->operand_count; i++) step[i] = a->rows[i].step;
  for (; row < row_end; row++) {
    for (int i = 0; i < chain->operand_count; i++) {
      const hone_chain_rows *r = &a->rows[i];
      const hone_chain_operand *operand = &chain->operands[i];
      size_t at = row / r->period % r->count * r->stride + (r->step ? column : 0);
      const char *base = operand->input < 0 ? (const char *)operand->floats : io->in[operand->input];
      data[i] = base + at * (hone_dtype_bits(operand->dtype) / 8);
    }
    for (int i = 0; i < chain->result_count; i++)
      out[i] = (char *)io->out[i] +
               (row * a->columns + column) * (hone_dtype_bits(chain->result_types[i]) / 8);
    hone_chain_row(chain, a->set, NULL, data, step, out, column_end - column);
  }
}

/* The largest number of trailing dims that every operand has whole or not at all. */
static bool find_space(const hone_chain *chain, const hone_type *types, const hone_shape *out,
                       chain_args *args) {
  for (int inner = out->rank; inner >= 0; inner--) {
    bool fits = true;
    for (int i = 0; fits && i < chain->operand_count; i++)
      fits = hone_chain_pattern(&types[chain->operands[i].value->id].shape, out, inner,
                                &args->rows[i]);
    if (!fits) continue;
    args->columns = hone_shape_span(out, out->rank - inner, out->rank);
    args->row_count = hone_shape_span(out, 0, out->rank - inner);
    return true;
  }
  return false;
}

static hone_status *chain_plan(const hone_cpu_row *row, const hone_prepared *prepared,
                               const hone_group_view *view, hone_arena *arena, hone_step *out) {
  (void)row;
  const hone_chain *chain = prepared->state;
  const hone_graph *body = prepared->body;
  const hone_shape *shape = &view->types[body->outputs[0].value->id].shape;
  chain_args *args = HONE_NEW(arena, chain_args);
  HONE_TRY_MEMORY(args);
  args->chain = chain;
  args->set = hone_chain_set_here();
  for (const hone_node *n = body->first; n; n = n->next)
    if (view->types[n->outputs[0]->id].shape.rank > shape->rank)
      return hone_error(HONE_UNSUPPORTED, "a step is larger than the result");
  for (int i = 1; i < body->output_count; i++)
    if (!hone_shape_equal(&view->types[body->outputs[i].value->id].shape, shape))
      return hone_error(HONE_UNSUPPORTED, "the results have several shapes");
  if (!find_space(chain, view->types, shape, args))
    return hone_error(HONE_UNSUPPORTED, "the operands broadcast in no simple way");
  hone_kernel_plan plan = {.phases = {chain_run}, .phase_count = 1, .args = args};
  double work = (double)args->row_count * (double)args->columns * (chain->step_count + 1) * 2;
  hone_cpu_step(&plan, work, view->threads, out);
  return NULL;
}

const hone_cpu_family hone_cpu_chain = {chain_accepts, chain_prepare, chain_plan};
