/* What an op is: its schema, its facts, its shape rule, its plain meaning. Room: ir.
 *
 * One file in src/ops/ holds all that is known about one op; passes ask the facts and never name
 * ops that they need not name.
 */
#ifndef HONE_IR_OP_H
#define HONE_IR_OP_H

#include "ir/graph.h"

#define HONE_MAX_ATTRS 16

typedef enum hone_attr_kind {
  HONE_ATTR_NONE = 0,
  HONE_ATTR_INT,
  HONE_ATTR_FLAG,   /* true | false */
  HONE_ATTR_REAL,
  HONE_ATTR_TEXT,
  HONE_ATTR_CHOICE, /* one of `choices` */
  HONE_ATTR_DTYPE,
  HONE_ATTR_INTS,
  HONE_ATTR_REALS,
  HONE_ATTR_TEXTS
} hone_attr_kind;

typedef struct hone_attr_def {
  const char *name;
  hone_attr_kind kind;
  const char *fallback; /* the default as the text form writes it; NULL: must be given */
  const char *choices;  /* "max|avg" for CHOICE */
} hone_attr_def;

/* Facts. */
enum {
  HONE_POINTWISE = 1u << 0,    /* out[i] is a function of in[i] alone, inputs broadcast */
  HONE_COMMUTATIVE = 1u << 1,  /* the first two inputs may change places */
  HONE_MOVES = 1u << 2,        /* only moves or repeats elements, computes none */
  HONE_HEAVY = 1u << 3,        /* worth a group of its own: conv, matmul, attention, rnn */
  HONE_IMPURE = 1u << 4,       /* two runs may differ (random): never folded, never merged */
  HONE_DATA_SHAPED = 1u << 5,  /* output shapes depend on the elements; infer gives upper bounds */
  HONE_HAS_REGIONS = 1u << 6,  /* runs graphs of its own */
  HONE_VIEW = 1u << 7,         /* the output is the first input's bytes in another shape */
  HONE_REDUCES = 1u << 8,      /* sums, maxima … over axes */
  HONE_OBJECTS = 1u << 9,      /* works on sequences, optionals or strings: host only */
  HONE_SHAPE_ONLY = 1u << 10,  /* reads only the shape of its inputs (shape, size) */
  HONE_ANY_KIND = 1u << 11,    /* takes tensors as well as sequences and optionals */
  HONE_FIXED_TYPES = 1u << 12, /* computes in the types it is given: no pass changes them */
  HONE_CROSSES = 1u << 13,     /* takes what lies on the device and gives it on the host */
  HONE_JUMPS = 1u << 14        /* a float result that jumps: it shows the rounding of what it reads */
};

/* The shape rule's view. It serves the passes (dims may be symbols) and the planner (all dims
 * known): the same function for both. */
typedef struct hone_infer {
  const hone_node *node;
  hone_graph *graph;            /* where fresh symbols come from; NULL while planning */
  int input_count, output_count;
  const hone_type *const *in;   /* NULL where absent */
  const hone_datum *const *value; /* the elements of an input, where known now; else NULL */
  hone_type *out;               /* to fill: output_count of them, cleared to an unknown tensor */
} hone_infer;

/* The reference's view: plain, slow, right, over every dtype that the op takes. */
typedef struct hone_reference {
  const hone_node *node;
  int input_count, output_count;
  const hone_datum *const *in;  /* NULL where absent */
  hone_datum *const *out;       /* NULL where unwanted; tensors come with shape and memory, the
                                   data-shaped ones with their bounds, to be cut down */
  hone_arena *objects;          /* memory of items and strings that outputs hold; lives as long
                                   as the outputs do */
  hone_arena *scratch;          /* memory until the reference returns */
} hone_reference;

struct hone_op {
  const char *name;
  const char *inputs;  /* names: "x w b?" with ? = optional, * = any number (last) */
  const char *outputs; /* likewise */
  hone_attr_def attrs[HONE_MAX_ATTRS];
  uint32_t facts;
  uint32_t shape_inputs; /* bit i: the output types depend on the elements of input i; the last
                            bit a variadic op can name stands for all inputs from there on */
  uint32_t host_inputs;  /* bit i: the host reads input i besides: a branch, a trip count */
  hone_status *(*infer)(hone_infer *infer);
  hone_status *(*reference)(hone_reference *reference); /* NULL only with HONE_HAS_REGIONS */
};

/* Whether the output types depend on the elements of input `index`. */
static inline bool hone_op_shaped_by(const hone_op *op, int index) {
  return op->shape_inputs >> (index < 31 ? index : 31) & 1;
}

/* Whether the host reads the elements of input `index`: for a shape, a branch, a trip count. */
static inline bool hone_op_host_reads(const hone_op *op, int index) {
  return hone_op_shaped_by(op, index) || (index < 32 && (op->host_inputs >> index & 1));
}

/* Finds an op by name; NULL if there is none. The text form's parser is given one of these. */
typedef const hone_op *hone_op_lookup(const char *name, size_t size);

/* Runs the shape rule of `node` on the types and constants of its inputs and sets the types of
 * its outputs. Errors name the node. */
HONE_MUST_USE hone_status *hone_node_infer(hone_node *node);

/* Checks a node against its schema: how many inputs and outputs, which of them are there, required
 * attributes, choices. Shape rules and references rely on it. Errors name the node. */
HONE_MUST_USE hone_status *hone_node_check(const hone_node *node);

/* The attributes of a new node of `op`, each at its default. */
HONE_MUST_USE hone_status *hone_attrs_default(hone_arena *arena, const hone_op *op,
                                              hone_attr **out);
/* Which attribute of the schema has this name; -1 if none. */
int hone_op_attr_index(const hone_op *op, const char *name, size_t size);
/* Least and most inputs or outputs that `signature` allows (most INT_MAX with *). */
void hone_op_arity(const char *signature, int *least, int *most);

/* What shape rules share (shape_rules in infer.c). */
HONE_MUST_USE hone_status *hone_infer_fail(const hone_infer *infer, const char *format, ...)
    HONE_PRINTF(2, 3); /* INVALID_MODEL */
/* A fresh symbol; while planning (no graph) it is -1, which tells the planner that a value it
 * does not have yet is needed. */
hone_dim hone_infer_fresh(hone_infer *infer);
/* Output 0 has the type of input 0. */
hone_status *hone_infer_same(hone_infer *infer);
/* All inputs of one dtype, broadcast together: the rule of most pointwise ops. */
hone_status *hone_infer_broadcast(hone_infer *infer);
/* Input `index` as integers, where known; at most `room`. False when not known. */
bool hone_infer_ints(const hone_infer *infer, int index, int64_t *out, size_t room, size_t *count);

#endif
