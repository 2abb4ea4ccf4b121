/* Subgraphs as regions, and loops made of them. Room: import. */
#ifndef HONE_IMPORT_ONNX_LOOPS_H
#define HONE_IMPORT_ONNX_LOOPS_H

#include "import/onnx/importer.h"

/* ---- Subgraphs (body.c) ---- */

HONE_MUST_USE hone_status *onnx_read_body(hone_call *call, const char *name, onnx_graph *out);
/* Binds a subgraph's inputs to values of its region, in order. */
HONE_MUST_USE hone_status *onnx_bind_inputs(onnx_scope *scope, const onnx_graph *graph,
                                            hone_value *const *values, size_t count);
/* Converts a subgraph's nodes into the scope's graph and gives its outputs. */
HONE_MUST_USE hone_status *onnx_convert_body(onnx_scope *scope, const onnx_graph *graph,
                                             hone_value **out);
void onnx_add_outputs(hone_call *call, hone_node *node, size_t count);

/* ---- Loops (loops.c) ---- */

/* A loop in the making. What is carried starts with the type of its first value; where the body
 * gives another, the dims that differ become open and the body is converted again. */
typedef struct onnx_loop {
  hone_call *call;
  onnx_graph body;
  hone_value *trips, *condition;
  hone_value **initial; /* of what is carried */
  hone_type *types;     /* of it inside the body */
  hone_type *declared;  /* by the body; cleared where it does not say */
  unsigned char *open;  /* bit d: dim d differs from turn to turn */
  bool *unwrap;         /* starts as an optional of what the body gives: wrapped again there */
  size_t carried;
  hone_value **passed; /* captures that stand first, in the body too */
  size_t passed_count, scanned;
  /* Binds the body's inputs to what the region's inputs give, converts, and puts the results in
   * order: condition, carried, scanned. */
  hone_status *(*fill)(struct onnx_loop *loop, onnx_scope *scope, hone_value **out);
  hone_node *node;
} onnx_loop;

/* Memory for as many as are carried and passed. */
HONE_MUST_USE hone_status *onnx_loop_memory(onnx_loop *loop);
/* What the body says about its input `index`. */
HONE_MUST_USE hone_status *onnx_declared_type(onnx_loop *loop, size_t index, hone_type *out);
/* The whole loop; its outputs are carried, then scanned. */
HONE_MUST_USE hone_status *onnx_make_loop(onnx_loop *loop);
/* What the node gives for output `index`. */
hone_value *onnx_loop_output(onnx_loop *loop, int index);

#endif
