/* The fields of a node of op tree_ensemble. Room: ops.
 *
 * An inner node compares x[FEATURE] with its value: where the test holds, or x is NaN and MISSING
 * is set, YES is the next node, else NO. A leaf's votes are YES up to before NO.
 */
#ifndef HONE_OPS_TREE_ENSEMBLE_H
#define HONE_OPS_TREE_ENSEMBLE_H

enum {
  HONE_TREE_FEATURE,
  HONE_TREE_TEST,
  HONE_TREE_YES,
  HONE_TREE_NO,
  HONE_TREE_MISSING,
  HONE_TREE_FIELDS
};

/* The tests: in ONNX's order of modes (ai.onnx.ml 5), the leaf last. */
enum {
  HONE_TREE_LEQ,
  HONE_TREE_LT,
  HONE_TREE_GEQ,
  HONE_TREE_GT,
  HONE_TREE_EQ,
  HONE_TREE_NEQ,
  HONE_TREE_MEMBER, /* ai.onnx.ml's only: an importer writes a chain of EQ */
  HONE_TREE_LEAF
};

#endif
