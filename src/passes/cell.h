/* What a loop's body computes of one step of a recurrent net. Room: passes. */
#ifndef HONE_PASSES_CELL_H
#define HONE_PASSES_CELL_H

#include "passes/rewrite.h"

enum { HONE_CELL_GATES = 4, HONE_CELL_BIASES = 4 };

/* Columns [column, column + hidden) of rows [row, row + rows) of a constant matrix. */
typedef struct hone_cell_part {
  hone_value *matrix; /* NULL: nothing */
  int64_t row, rows, column;
} hone_cell_part;

/* What is added up before a gate's activation. Biases are vectors, of which row and rows say
 * nothing, or single numbers. */
typedef struct hone_cell_sum {
  hone_cell_part from_input, from_state;
  hone_cell_part biases[HONE_CELL_BIASES];
  int bias_count;
} hone_cell_sum;

typedef struct hone_cell {
  const hone_op *op;                     /* lstm, gru or rnn */
  int gates;
  hone_cell_sum sums[HONE_CELL_GATES];   /* in the op's order */
  hone_cell_sum late;                    /* of a gru that resets after its product: what is reset */
  bool reset_after;
  int h, c;                              /* which of the carried values are the states; c may be -1 */
  int64_t hidden, input;
  const hone_value *row;                 /* of the sequence, in the body */
} hone_cell;

/* Finds the cell in the body of a `loop` that reads one row of a sequence each turn, a value that
 * `is_row` knows. */
bool hone_cell_find(const hone_node *loop,
                    bool (*is_row)(const hone_node *loop, const hone_value *value),
                    hone_cell *out);

#endif
