/* Products of up to eight rows by constants, without tensor cores. What they take is reading the
 * constant once: the last layers of nets at batch 1, squeeze and excite, language models that make
 * one token after the other. A tile of tensor cores takes 6 us there on an H200 for 768 x 1000 of
 * f16, where a launch and one way to memory take 2.5. Room: backend/cuda. */
#include "backend/cuda/rows.h"
#include "backend/cuda/rows_tensor.h"

#define MOST_ROWS  8
#define BLOCK_ROWS 4 /* of a block at most */
#define THREADS    256 /* over the depth of 8, 16, 32 or 64 columns, the shapes of a block */
#define ENOUGH     44 /* blocks: a third of the multiprocessors of a large GPU */
#define MOST_TURNS 4 /* of the threads of fewer blocks */
#define MOST       (1ll << 26)

typedef struct matrix {
  int64_t columns, depth;
} matrix;

static matrix matrix_of(const hone_node *node) {
  const hone_shape *w = &node->inputs[1].value->type.shape;
  int by_depth = hone_cuda_right_by_depth(node);
  return (matrix){w->dim[w->rank - 1 - by_depth], w->dim[w->rank - 2 + by_depth]};
}

/* A matrix that is one for all rows, and those as they lie. */
static bool has_matrix(const hone_node *node) {
  if (node->op == &hone_op_matmul)
    return node->inputs[0].value->type.shape.rank >= 1 && !hone_node_flag(node, "transpose_a") &&
           node->inputs[1].value->type.shape.rank == 2;
  return node->op == &hone_op_conv && hone_node_int(node, "groups") == 1 &&
         hone_cuda_is_plain_conv(node);
}

static bool accepts_vector(const hone_node *node) {
  bool multiplies = node->op == &hone_op_matmul || node->op == &hone_op_conv;
  if (!multiplies || !hone_cuda_one_float(node) || !has_matrix(node)) return false;
  const hone_type *left = &node->inputs[0].value->type;
  if (!hone_value_is_constant(node->inputs[1].value) || hone_dtype_bits(left->dtype) > 32)
    return false;
  matrix m = matrix_of(node);
  return m.columns > 0 && m.columns < MOST && m.depth > 0 && m.depth < MOST &&
         m.columns * m.depth <= INT32_MAX &&
         hone_cuda_least_rows(&left->shape, MOST_ROWS) <= MOST_ROWS;
}

/* Rows that the kernel takes at once: for how many its text is made. */
static int block_rows(const hone_node *node) {
  const hone_shape *left = &node->inputs[0].value->type.shape;
  for (int i = 0; i + 1 < left->rank; i++)
    if (!hone_dim_known(left->dim[i])) return BLOCK_ROWS;
  int64_t rows = hone_cuda_least_rows(left, MOST_ROWS);
  return rows <= 1 ? 1 : rows <= 2 ? 2 : BLOCK_ROWS;
}

static void define_vector(const hone_node *node, hone_text *out) {
  matrix m = matrix_of(node);
  int piece = 16 * 8 / (int)hone_dtype_bits(node->inputs[0].value->type.dtype);
  hone_cuda_define_tensor(node, out);
  hone_text_printf(out, "#define MOST_ROWS %d\n#define WHOLE_COLUMNS %s\n#define WHOLE_DEPTH %s\n",
                   block_rows(node), m.columns % 8 == 0 ? "true" : "false",
                   m.depth % piece == 0 ? "true" : "false");
}

/* Whether blocks of so many times eight columns are not too many for them, nor too few for the GPU where
 * narrower ones would have threads enough for the depth. */
static bool is_worth(const matrix *m, int64_t eights, int64_t piece) {
  int64_t all = (m->columns + 7) / 8, blocks = (all + eights - 1) / eights;
  int64_t turns = ((m->depth + piece - 1) / piece * eights + THREADS - 1) / THREADS;
  return eights == 1 || (eights < 2 * all && (blocks >= ENOUGH || turns <= MOST_TURNS));
}

static hone_status *plan_vector(const hone_cuda_stage *stage, const hone_group_view *view,
                                hone_cuda_plan *plan) {
  const hone_value *left = stage->core->inputs[0].value;
  matrix m = matrix_of(stage->core);
  int64_t rows = hone_cuda_count(hone_cuda_shape(plan, left)) / m.depth;
  int64_t eights = 1ll << (stage->variant - 1), piece = 128 / hone_dtype_bits(left->type.dtype);
  hone_cuda_launch *launch;
  (void)view;
  if (rows < 1 || rows > MOST_ROWS || !is_worth(&m, eights, piece))
    return hone_error(HONE_UNSUPPORTED, "a product that is not one of few rows");
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  if (launch->slots[1].from != HONE_CUDA_PACK)
    return hone_error(HONE_UNSUPPORTED, "the matrix is not there before the run");
  launch->args.n[0] = rows;
  launch->args.n[1] = m.columns;
  launch->args.n[2] = m.depth;
  launch->args.n[36] = stage->variant - 1;
  launch->grid[0] = (unsigned)((m.columns + 8 * eights - 1) / (8 * eights));
  launch->grid[1] = (unsigned)((rows + BLOCK_ROWS - 1) / BLOCK_ROWS);
  launch->grid[2] = 1;
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_matmul_vector = {.name = "matmul_vector",
                                                         .candidate = "cuda.matmul_vector",
                                                         .variants = HONE_CUDA_VECTOR_SHAPES,
                                                         .only_chosen = true,
                                                         .forms = {{hone_cuda_text_product_vector}},
                                                         .pointers = 2,
                                                         .finishes = true,
                                                         .widely = true,
                                                         .fixes = true,
                                                         .bias = 2,
                                                         .accepts = accepts_vector,
                                                         .define = define_vector,
                                                         .plan = plan_vector};
