/* Attention on the GPU. Room: backend/cuda. */
#include <math.h>

#include "backend/cuda/reads.h"
#include "backend/cuda/rows.h"
#include "backend/cuda/rows_tensor.h"

enum { Q, K, V, MASK, LENGTHS, OFFSET };
#define MOST_SIZE 256 /* of a head */

static bool is_small(const hone_value *value) {
  hone_dim size = value->type.shape.rank == 4 ? value->type.shape.dim[3] : -1;
  return hone_dim_known(size) && size <= MOST_SIZE;
}

static bool accepts_attention(const hone_node *node) {
  if (node->op != &hone_op_attention || hone_node_in(node, LENGTHS) || hone_node_in(node, OFFSET) ||
      hone_node_out(node, 1))
    return false;
  if (hone_node_real(node, "softcap") > 0 || hone_node_int(node, "left") >= 0 ||
      hone_node_int(node, "right") >= 0)
    return false;
  const hone_value *q = node->inputs[Q].value, *mask = hone_node_in(node, MASK);
  if (hone_dtype_class_of(q->type.dtype) != HONE_CLASS_FLOAT || !hone_cuda_type(q->type.dtype))
    return false;
  if (mask && (!hone_cuda_type(mask->type.dtype) || mask->type.shape.rank < 0)) return false;
  return is_small(q) && is_small(node->inputs[K].value) && is_small(node->inputs[V].value);
}

static void define_attention(const hone_node *node, hone_text *out) {
  const hone_value *mask = hone_node_in(node, MASK);
  double scale = hone_node_real(node, "scale");
  hone_cuda_define_types(node->inputs[Q].value->type.dtype, out);
  if (scale == 0) scale = 1 / sqrt((double)node->inputs[Q].value->type.shape.dim[3]);
  hone_text_printf(out,
                   "#define SCALE R(%.17g)\n#define CAUSAL %d\n#define MASKED %d\n"
                   "#define MASK_IS_BOOL %d\n",
                   scale, hone_node_flag(node, "causal"), mask != NULL,
                   mask && mask->type.dtype == HONE_BOOL);
  if (mask) hone_text_printf(out, "typedef %s M;\n", hone_cuda_type(mask->type.dtype));
}

/* Tiles of heads this large fit in the 48 KB of shared memory that every block may have. */
#define MOST_IN_TILES 128

static bool accepts_tiles(const hone_node *node) {
  if (!accepts_attention(node) || node->inputs[Q].value->type.dtype == HONE_F64) return false;
  return node->inputs[Q].value->type.shape.dim[3] <= MOST_IN_TILES &&
         node->inputs[V].value->type.shape.dim[3] <= MOST_IN_TILES;
}

static void define_tiles(const hone_node *node, hone_text *out) {
  define_attention(node, out);
  hone_text_printf(out, "#define HEAD %lld\n#define VALUE %lld\n",
                   (long long)node->inputs[Q].value->type.shape.dim[3],
                   (long long)node->inputs[V].value->type.shape.dim[3]);
}

static bool accepts_tensor_of(const hone_node *node, hone_dtype dtype) {
  return accepts_tiles(node) && node->inputs[Q].value->type.dtype == dtype;
}
static bool accepts_attention_f16(const hone_node *node) {
  return accepts_tensor_of(node, HONE_F16);
}
static bool accepts_attention_bf16(const hone_node *node) {
  return accepts_tensor_of(node, HONE_BF16);
}

static void define_attention_tensor(const hone_node *node, hone_text *out) {
  define_tiles(node, out);
  hone_cuda_define_kind(node->inputs[Q].value->type.dtype, out);
}

static void put_mask(const hone_shape *mask, int64_t keys, long long *n) {
  int64_t strides[HONE_MAX_RANK];
  hone_shape_strides(mask, strides);
  n[7] = keys;
  for (int d = 0; d < mask->rank; d++)
    n[8 + 4 - mask->rank + d] = mask->dim[d] == 1 ? 0 : strides[d];
  if (mask->rank && mask->dim[mask->rank - 1] != 1) n[7] = mask->dim[mask->rank - 1];
}

/* At n[13 + 4 i]: where q, k, v and the result begin, and their steps from batch to batch, head to head,
 * row to row. */
static void put_strides(const hone_cuda_stage *stage, const hone_cuda_plan *plan,
                        hone_cuda_launch *launch) {
  const hone_cuda_reads *reads = &plan->reads[stage - plan->body->stages];
  for (int i = 0; i <= HONE_CUDA_STRIDED; i++) {
    const hone_strided *s = i < HONE_CUDA_STRIDED ? &reads->in[i] : &reads->out;
    long long *n = launch->args.n + 13 + 4 * i;
    n[0] = s->layout.at;
    for (int d = 0; d < 3; d++) n[1 + d] = s->layout.stride[d];
    int pointer = i < HONE_CUDA_STRIDED ? i : stage->result_count ? stage->results[0].pointer : -1;
    bool moved = i < HONE_CUDA_STRIDED || s->base != stage->core->outputs[0];
    if (moved && pointer >= 0) launch->slots[pointer] = hone_cuda_slot_of(plan, s->base);
  }
}

/* Blocks of `queries` rows of a head each. */
static void set_queries(hone_cuda_launch *launch, int64_t heads, int64_t queries) {
  long long *n = launch->args.n;
  n[12] = (n[3] + queries - 1) / queries;
  n[0] = heads * n[12];
  hone_cuda_launch_blocks(launch, n[0]);
}

static hone_status *make_launch(const hone_cuda_stage *stage, hone_cuda_plan *plan, int64_t queries,
                                hone_cuda_launch **out) {
  const hone_node *node = stage->core;
  const hone_shape *q = hone_cuda_shape(plan, node->inputs[Q].value);
  const hone_shape *k = hone_cuda_shape(plan, node->inputs[K].value);
  HONE_TRY(hone_cuda_launch_new(plan, stage, out));
  long long *n = (*out)->args.n;
  n[1] = q->dim[1];
  n[2] = k->dim[1];
  n[3] = q->dim[2];
  n[4] = k->dim[2];
  n[5] = q->dim[3];
  n[6] = hone_cuda_shape(plan, node->inputs[V].value)->dim[3];
  if (hone_node_in(node, MASK))
    put_mask(hone_cuda_shape(plan, node->inputs[MASK].value), k->dim[2], n);
  set_queries(*out, q->dim[0] * q->dim[1], queries);
  return NULL;
}

static hone_status *plan_attention(const hone_cuda_stage *stage, const hone_group_view *view,
                                   hone_cuda_plan *plan) {
  hone_cuda_launch *launch;
  (void)view;
  return make_launch(stage, plan, 1, &launch);
}

#define TILE_QUERIES 16

static hone_status *plan_tiles(const hone_cuda_stage *stage, const hone_group_view *view,
                               hone_cuda_plan *plan) {
  hone_cuda_launch *launch;
  (void)view;
  return make_launch(stage, plan, TILE_QUERIES, &launch);
}

/* ---- On tensor cores -------------------------------------------------------------------------- */

#define TENSOR_QUERIES 64 /* of four warps */
#define TENSOR_THREADS 128

/* attention_hopper.cu's forms, by how many keys a tile has. Two tiles of keys lie in shared memory. */
static const int64_t keys_of_form[] = {64, 112, 128};
#define FORMS (int)(sizeof keys_of_form / sizeof *keys_of_form)
#define BOXED_FORM(keys)                                                                           \
  {hone_cuda_text_attention_hopper, "#define KEYS " #keys "\n", true}
#define TENSOR_FORMS                                                                               \
  {{hone_cuda_text_attention_tensor}, BOXED_FORM(64), BOXED_FORM(112), BOXED_FORM(128)}
#define MOST_SHARED (220 << 10) /* bytes of a block */
#define ENOUGH_BLOCKS 264       /* two a multiprocessor of a large GPU */

/* How attention_hopper.cu runs: its form, groups of four warps in a block, and whether they go on to the
 * head's next queries until all are done. */
typedef struct boxed_way {
  int form, groups;
  bool whole_heads;
} boxed_way;
#define WAYS (FORMS * 4)
_Static_assert(1 + WAYS == HONE_CUDA_ATTENTION_VARIANTS, "the first is attention_tensor.cu");

static boxed_way way_of(int index) {
  return (boxed_way){index / 4, 1 + index % 2, index / 2 % 2};
}

/* Whether rows of what is read and written lie at multiples of 16 bytes. */
static bool rows_at_multiples(const long long *n) {
  for (int i = 13; i < 13 + 4 * (HONE_CUDA_STRIDED + 1); i++)
    if (n[i] % 8) return false;
  return n[5] % 8 == 0 && n[6] % 8 == 0 && n[3] > 0 && n[4] > 0 && n[3] < 1 << 24 && n[4] < 1 << 24;
}

/* The fewest keys beyond those that are there, then the larger tile; blocks that fill a GPU. */
static boxed_way best_way(const long long *n, int64_t heads) {
  int64_t tiles = (n[3] + TENSOR_QUERIES - 1) / TENSOR_QUERIES, least = INT64_MAX;
  boxed_way best = {0};
  for (int form = 0; form < FORMS; form++) {
    int64_t keys = (n[4] + keys_of_form[form] - 1) / keys_of_form[form] * keys_of_form[form];
    if (keys > least) continue;
    least = keys;
    best.form = form;
  }
  best.groups = tiles > 1 && heads * ((tiles + 1) / 2) >= ENOUGH_BLOCKS / 2 ? 2 : 1;
  best.whole_heads = heads >= ENOUGH_BLOCKS;
  return best;
}

/* Bytes of shared memory; 0 where the way is none for these sizes. */
static int64_t shared_of(const boxed_way *way, long long *n) {
  int64_t keys = keys_of_form[way->form], tiles = (n[4] + keys - 1) / keys;
  int64_t queries = (n[3] + TENSOR_QUERIES - 1) / TENSOR_QUERIES;
  n[29] = way->whole_heads && tiles <= 2 ? (queries + way->groups - 1) / way->groups : 1;
  n[30] = tiles < 2 ? tiles : 2;
  int64_t head = (n[5] + 63) / 64 * 128, value = (n[6] + 63) / 64 * 128;
  int64_t bytes = n[30] * keys * (head + value) + n[29] * way->groups * TENSOR_QUERIES * head + 1024;
  bool same = way->whole_heads && n[29] == 1; /* as the way that does not say so */
  return bytes > MOST_SHARED || same || way->groups > queries ? 0 : bytes;
}

static hone_status *launch_boxed(const hone_cuda_stage *stage, hone_cuda_plan *plan, boxed_way way,
                                 int64_t heads, hone_cuda_launch *whole) {
  hone_cuda_launch *boxed = hone_arena_copy(plan->arena, whole, sizeof *whole);
  HONE_TRY_MEMORY(boxed);
  int64_t shared = shared_of(&way, boxed->args.n);
  if (shared == 0) {
    way.whole_heads = false;
    shared = shared_of(&way, boxed->args.n);
  }
  boxed->function = stage->functions[1 + way.form];
  boxed->threads = (unsigned)(way.groups * TENSOR_THREADS);
  boxed->shared = (unsigned)shared;
  set_queries(boxed, heads, boxed->args.n[29] * way.groups * TENSOR_QUERIES);
  whole->boxed = boxed;
  return NULL;
}

static hone_status *plan_tensor(const hone_cuda_stage *stage, const hone_group_view *view,
                                hone_cuda_plan *plan) {
  hone_cuda_launch *launch;
  (void)view;
  HONE_TRY(make_launch(stage, plan, TENSOR_QUERIES, &launch));
  launch->threads = TENSOR_THREADS;
  put_strides(stage, plan, launch);
  long long *n = launch->args.n;
  bool possible = stage->functions[1] && rows_at_multiples(n);
  int64_t heads = hone_cuda_shape(plan, stage->core->inputs[Q].value)->dim[0] * n[1];
  boxed_way way = best_way(n, heads);
  if (stage->variant > 1) way = way_of(stage->variant - 2);
  if (stage->variant && (!possible || (stage->variant > 1 && shared_of(&way, n) == 0)))
    return hone_error(HONE_UNSUPPORTED, "a way that is not worth a trial");
  return possible && stage->variant != 1 ? launch_boxed(stage, plan, way, heads, launch) : NULL;
}

const hone_cuda_kernel hone_cuda_kernel_attention_f16 = {.name = "attention_f16",
                                                         .candidate = "cuda.attention_f16",
                                                         .variants = HONE_CUDA_ATTENTION_VARIANTS,
                                                         .forms = TENSOR_FORMS,
                                                         .on_tensor_cores = true,
                                                         .strided = true,
                                                         .pointers = 4,
                                                         .finishes = true,
                                                         .widely = true,
                                                         .accepts = accepts_attention_f16,
                                                         .define = define_attention_tensor,
                                                         .plan = plan_tensor};

const hone_cuda_kernel hone_cuda_kernel_attention_bf16 = {.name = "attention_bf16",
                                                          .candidate = "cuda.attention_bf16",
                                                          .variants = HONE_CUDA_ATTENTION_VARIANTS,
                                                          .forms = TENSOR_FORMS,
                                                          .least_sm = 80,
                                                          .on_tensor_cores = true,
                                                          .strided = true,
                                                          .pointers = 4,
                                                          .finishes = true,
                                                          .widely = true,
                                                          .accepts = accepts_attention_bf16,
                                                          .define = define_attention_tensor,
                                                          .plan = plan_tensor};

const hone_cuda_kernel hone_cuda_kernel_attention_tiles = {.name = "attention_tiles",
                                                           .forms = {{hone_cuda_text_attention_tiles}},
                                                           .pointers = 4,
                                                           .finishes = true,
                                                           .accepts = accepts_tiles,
                                                           .define = define_tiles,
                                                           .plan = plan_tiles};

const hone_cuda_kernel hone_cuda_kernel_attention = {.name = "attention",
                                                     .forms = {{hone_cuda_text_attention}},
                                                     .pointers = 4,
                                                     .finishes = true,
                                                     .accepts = accepts_attention,
                                                     .define = define_attention,
                                                     .plan = plan_attention};
