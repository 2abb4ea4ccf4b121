/* A group's body as stages, each one kernel: a core node, or none, and the pointwise nodes that finish
 * its elements. Room: backend/cuda.
 *
 * A stage's text is made at build from the body's types, in which a dimension may be a symbol; sizes
 * are arguments, so that one compiled kernel serves any shapes. Values between stages lie in scratch.
 */
#ifndef HONE_BACKEND_CUDA_STAGE_H
#define HONE_BACKEND_CUDA_STAGE_H

#include "backend/backend.h"
#include "backend/cuda/args.h"
#include "base/text.h"

#define HONE_CUDA_STAGES  12
#define HONE_CUDA_TAIL    24 /* pointwise nodes of a stage */
#define HONE_CUDA_STREAMS 10 /* values that they read */
#define HONE_CUDA_RESULTS 8  /* values that a stage stores */
#define HONE_CUDA_FORMS   12 /* kernels that one row is compiled to */
#define HONE_CUDA_SPAN    3  /* stages that one kernel may span at most */
#define HONE_CUDA_NAME    "cuda" /* of the candidate that every group has: for any sizes */

typedef struct hone_cuda_kernel hone_cuda_kernel;
typedef struct hone_cuda_plan hone_cuda_plan;

/* How an operand of the tail is found for element i of the stage's shape. */
typedef enum hone_cuda_reach {
  HONE_CUDA_EQUAL,  /* at i: the same shape */
  HONE_CUDA_ONE,    /* a single element */
  HONE_CUDA_COLUMN, /* at i's place on the last axis */
  HONE_CUDA_ROWS,   /* by strides, in whole rows of the last axis */
  HONE_CUDA_ANY     /* by strides */
} hone_cuda_reach;

typedef struct hone_cuda_stream {
  const hone_value *value;
  hone_cuda_reach reach;
  int pointer; /* its place in hone_cuda_args.p */
  int strides; /* ROWS, ANY: where its strides begin in hone_cuda_args.n */
  char joins;  /* '*' or '+': a scale or bias of the core's own, before the tail; else 0 */
} hone_cuda_stream;

static inline bool hone_cuda_has_strides(const hone_cuda_stream *stream) {
  return stream->reach == HONE_CUDA_ROWS || stream->reach == HONE_CUDA_ANY;
}

typedef struct hone_cuda_result {
  const hone_value *value;
  int pointer;
} hone_cuda_result;

typedef struct hone_cuda_stage {
  const hone_node *core; /* NULL: a chain of pointwise nodes alone */
  const hone_cuda_kernel *kernel;
  int variant;             /* of the kernel, as a build chose it; 0: by the kernel's own estimate */
  const hone_value *shape; /* a value of the shape that the tail's elements have */
  const hone_node *tail[HONE_CUDA_TAIL];
  int tables[HONE_CUDA_TAIL]; /* of a byte_table in the tail: its table's place in hone_cuda_args.p */
  int tail_count;
  hone_cuda_stream streams[HONE_CUDA_STREAMS];
  int stream_count;
  hone_cuda_result results[HONE_CUDA_RESULTS];
  int result_count;
  int pointers; /* of hone_cuda_args.p that are taken; the core's come first */
  int sizes;    /* where the sizes of `shape` begin in hone_cuda_args.n; 0: not needed */
  void *functions[HONE_CUDA_FORMS]; /* compiled, by the kernel's forms */
  bool within;      /* the kernel of a later stage computes it too; it has no launch */
  /* The stages before this one that its kernel computes, each of which the next alone reads. Their tails
   * read nothing but constants, single ones or by columns, and make one result. */
  const struct hone_cuda_stage *inner[HONE_CUDA_SPAN - 1]; /* NULL: it computes this one alone */
  void *own;        /* what `settle` of the kernel made; NULL: nothing */
} hone_cuda_stage;

/* A constant that kernels read, or a byte_table's table, and where it lies in the body's pack. */
typedef struct hone_cuda_constant {
  const hone_value *value; /* NULL: a table, */
  const hone_node *table;  /* of this node */
  size_t at;
} hone_cuda_constant;

/* The row that is taken for the cores that it accepts, in place of the first. */
typedef struct hone_cuda_way {
  const hone_cuda_kernel *kernel; /* NULL: the first row always */
  int variant;
  bool at_once; /* the body's kernels let what follows them begin before they wait themselves */
} hone_cuda_way;

typedef struct hone_cuda_body {
  const hone_graph *graph;
  int sm; /* of the GPU that its kernels are for */
  hone_cuda_way way;
  hone_cuda_stage stages[HONE_CUDA_STAGES];
  int stage_count;
  hone_cuda_constant *constants;
  int constant_count;
  size_t pack_size;
  void *pack; /* its address on the GPU; NULL: none */
  const void *packed; /* its bytes on the host */
} hone_cuda_body;

/* One way to compile a kernel's row: a file of kernels/ and lines before it. */
typedef struct hone_cuda_form {
  const char *text;    /* NULL past the last form */
  const char *choices; /* or NULL */
  bool boxed;          /* by kernels/hopper.cu: compute capability 9.0 alone; 16-bit elements, others
                          where the row has an order, or the form is `alone` as well */
  const char *before;  /* a text that `text` goes on from, or NULL */
  bool alone;          /* compute capability 9.0 alone, which gives blocks their most shared memory */
} hone_cuda_form;

/* How a kernel reads a constant that it wants in another order than the graph's. */
typedef struct hone_cuda_order {
  int input; /* of the node */
  uint64_t (*key)(const hone_node *node); /* the same where nodes of the row read the same bytes alike */
  size_t (*size)(const hone_node *node);  /* bytes, which are 0 before `put` */
  void (*put)(const hone_node *node, const void *from, void *to);
} hone_cuda_order;

/* What a kernel is, and for which nodes it stands.
 *
 * A node's kernel is the first row of the table that accepts it. A row with a `candidate` is offered to
 * builds as well, which time its variants at the sizes that the model is built for: what wins there runs
 * at those sizes, and the first row at all others. */
struct hone_cuda_kernel {
  const char *name;
  const char *candidate; /* what builds know it by, "cuda.NAME"; NULL: it is not offered */
  int variants;          /* that it is offered in, numbered from 1; planning says UNSUPPORTED of those
                            that are not worth a trial at the sizes */
  bool only_chosen;      /* it is never the first row */
  bool form_a_variant;   /* a variant is one form, the others of which it does without */
  hone_cuda_form forms[HONE_CUDA_FORMS];
  int first_tile;   /* of the tiles of rows_boxed.c, that of its first boxed form */
  int least_sm;     /* of the GPUs that it runs on, 80 for compute capability 8.0; 0: any */
  int last_sm;      /* the newest of them; 0: any */
  bool on_tensor_cores;
  int pointers;     /* of hone_cuda_args.p that the core takes; its inputs first */
  bool finishes;    /* elements go through the stage's tail; else the kernel stores them itself */
  bool strided;     /* takes q, k, v and writes its result by strides: reads.h */
  bool widely;      /* and eight at once */
  bool fixes;       /* and loads the constants that it finishes with by itself, before it follows */
  bool norms;       /* takes its first input before a norm without scale and bias, out of memory that
                       lies at multiples of 16 bytes: reads.h */
  bool gathers;     /* takes its first input by any strides, and out of f32 where that is rounded */
  int scale, bias;  /* inputs of the node that the tail multiplies by and adds; 0: none */
  bool (*accepts)(const hone_node *node);
  /* Of a kernel for the stages of a whole body, in place of `accepts`: whether it computes these nodes,
   * each with the pointwise work behind it. It is no first row. */
  bool (*spans)(const hone_node *const *layers);
  int span; /* how many: up to HONE_CUDA_SPAN */
  /* The lines before the file: types and choices. */
  void (*define)(const hone_node *node, hone_text *out);
  void (*define_span)(const hone_cuda_stage *last, hone_text *out); /* the same of such a kernel */
  /* Of a library's kernel. What it needs, as engines say it. */
  const char *needs;
  /* Why the library is not there. */
  hone_status *(*available)(void);
  /* Whether the stage's tail may go on with the node; NULL: any that a kernel of ours takes. */
  bool (*joins)(const hone_cuda_stage *stage, const hone_node *node);
  /* Makes `own` for the sizes of `view`, and adds to `state` what makes it again; without a view out of
   * `saved`, which is that. NOT_FOUND where the variant does not run the stage. */
  hone_status *(*settle)(hone_cuda_stage *stage, const hone_cuda_body *body,
                         const hone_group_view *view, hone_bytes saved, hone_text *state);
  void (*drop)(void *own);
  const hone_cuda_order *order; /* of a constant that `settle` arranges: packs.h; NULL: none */
  /* Launches for known types. */
  hone_status *(*plan)(const hone_cuda_stage *stage, const hone_group_view *view,
                       hone_cuda_plan *plan);
};

/* The row whose kernel computes `node` on a GPU of compute capability `sm`; NULL when there is none. */
const hone_cuda_kernel *hone_cuda_kernel_for(const hone_node *node, int sm);
extern const hone_cuda_kernel hone_cuda_kernel_pointwise; /* of chains without a core */
/* All rows, for tests. */
const hone_cuda_kernel *const *hone_cuda_kernels(size_t *count);

/* The address on the GPU of a constant that kernels read; NULL for other values. */
const void *hone_cuda_constant_at(const hone_cuda_body *body, const hone_value *value);
/* Its bytes on the host. */
const void *hone_cuda_constant_bytes(const hone_cuda_body *body, const hone_value *value);

bool hone_cuda_kernel_takes(const hone_cuda_kernel *kernel, const hone_node *node, int sm);
/* The row of a candidate's name; NULL for HONE_CUDA_NAME and what is none. */
const hone_cuda_kernel *hone_cuda_kernel_named(const char *candidate);

/* The value whose memory this is: itself, or what it is a view of. */
const hone_value *hone_cuda_root(const hone_value *value);
/* UNSUPPORTED where stages cannot be made of the body for a GPU of compute capability `sm`. Nothing is
 * compiled. */
HONE_MUST_USE hone_status *hone_cuda_body_make(const hone_graph *graph, int sm, hone_cuda_way way,
                                               hone_arena *arena, hone_cuda_body **out);
/* Whether the tail of a stage can hold the node. */
bool hone_cuda_pointwise_accepts(const hone_node *node);
/* CUDA's name of an element type; NULL for one that kernels do not know. */
const char *hone_cuda_type(hone_dtype dtype);
/* Whether the row has the form, and it is one for this stage on a GPU of compute capability `sm`. */
bool hone_cuda_has_form(const hone_cuda_stage *stage, int form, int sm);
/* The text of a form of a stage's kernel, whole. */
void hone_cuda_stage_text(const hone_cuda_stage *stage, int form, hone_text *out);

#endif
