/* matmul_integer nodes whose matrix only the run knows. Room: backend/cpu/nodes. */
#include "backend/cpu/nodes/node.h"
#include "backend/cpu/products/multiply_bytes.h"

enum { A, B, A_ZERO, B_ZERO, BIAS };

/* Other rows take a matrix that is constant, with what belongs to it. */
static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  bool constant = node->inputs[B].value->constant != NULL;
  for (int i = B_ZERO; i <= BIAS; i++)
    constant = constant && (!hone_node_in(node, i) || node->inputs[i].value->constant);
  return !constant;
}

static int input_of(const hone_node_view *view, int index) {
  return view->in[index] ? index : -1;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const hone_shape *a = &view->in[A]->shape, *b = &view->in[B]->shape;
  size_t zeros = 1;
  if (view->in[B_ZERO]) hone_shape_count(&view->in[B_ZERO]->shape, &zeros);
  hone_bytes_product p = {.rows = hone_shape_span(a, 0, a->rank - 1),
                          .depth = (size_t)b->dim[0],
                          .columns = (size_t)b->dim[1],
                          .a = A,
                          .b = B,
                          .a_zero = input_of(view, A_ZERO),
                          .b_zero = input_of(view, B_ZERO),
                          .bias = input_of(view, BIAS),
                          .a_signed = view->in[A]->dtype == HONE_S8,
                          .b_signed = view->in[B]->dtype == HONE_S8,
                          .zeros = zeros > 1};
  out->work = ((double)p.rows + 10) * (double)p.columns * (double)p.depth / 100;
  return hone_bytes_plan(&p, arena, &out->kernel);
}

const hone_node_functions hone_node_integer_any = {.accepts = accepts, .plan = plan};
