/* hone compare: what its files share.
 *
 * Two comparisons, layer by layer. *Own*: what a kernel gave against what its ops plainly mean for
 * the same inputs, so that an error stands where it is made. *Model*: the value against the same
 * source node's output when the model runs as it was imported, node by node, on the reference (or
 * on the peer), so that errors of rewrites and the sum of roundings are seen.
 */
#ifndef HONE_COMMAND_COMPARE_H
#define HONE_COMMAND_COMPARE_H

#include <stdio.h>

#include "command.h"

/* One value of the model as imported. */
typedef struct record {
  char *name;   /* the user's where the model names it */
  char *source; /* the user's node; "" for none */
  hone_tensor tensor;
  bool peer; /* the peer's value, no longer ours */
} record;

typedef struct record_list {
  record *items;
  size_t count, room;
  bool failed; /* memory ran out: said already */
} record_list;

/* A watcher that keeps every tensor of the graph itself; `argument` is a record_list. */
hone_watcher keep_record;
const record *find_record(const record_list *list, const char *name);
void free_records(record_list *list);
/* Replaces records by what `peer` computes of the same inputs. An exit code. */
int run_peer(const char *peer, const char *model, const session *plain, record_list *records);

/* The errors of a value against its reference. */
typedef struct difference {
  bool known;            /* there is a reference to compare with */
  double absolute;       /* max |y - ref| */
  double relative;       /* the same over max |ref|; infinite where only one has a NaN */
  bool reference_finite; /* the reference has neither NaN nor infinity */
} difference;

/* `order`: dimension i of the reference is dimension order[i] of y; NULL: element for element. */
difference differ(const hone_tensor *y, const hone_tensor *reference, const int *order);
bool is_finite_tensor(const hone_tensor *tensor);

/* A step of the engine, the worst of its turns where a loop runs it again. */
typedef struct row {
  char *node, *ops, *kernel, *name; /* node: the last of its sources */
  char **sources, **inputs;         /* inputs: names of the values that it reads */
  size_t source_count, input_count;
  int depth;
  difference own, model;
  bool renamed;  /* compared with the record of its node's output, not of its own name */
  bool restated; /* no output of its nodes, though all that follows from it is right: a rewrite */
  bool finite;
  hone_dtype dtype;
} row;

typedef struct row_list {
  row *items;
  size_t count, room;
  const record_list *records; /* of the model; NULL: there is none */
  bool failed;
} row_list;

/* A watcher that adds or worsens a row; `argument` is a row_list. */
hone_watcher add_row;
void free_rows(row_list *list);

/* The bound for values of a type: --tolerance, else by the type. `coarse`: they come from bf16, or
 * from quantised values, where a rounding that falls the other way is a whole step. */
double bound_of(const command_line *line, hone_dtype dtype, bool coarse);

/* What is wrong, as indices of rows; -1 for none. */
typedef struct verdict {
  long own, model, nonfinite; /* first above its bound, first that differs, first NaN or Inf */
  bool good;
} verdict;

/* Judges the rows, and marks those that a rewrite explains. `outputs_good`: the model's outputs
 * are right. `low`: the engine was built for less than fp32. */
verdict judge(const command_line *line, row_list *rows, bool low, bool outputs_good);
/* Whether values of the model go through a rounding of its own. */
bool is_quantised(const row_list *rows);

/* An output of the engine against the model's. */
typedef struct output_row {
  char name[256];
  difference difference;
  bool good;
} output_row;

/* Says all of it on stdout. */
void print_comparison(const command_line *line, const row_list *rows, const output_row *outputs,
                      size_t output_count, const verdict *verdict);

#endif
