/* The passes that the pipeline lists, one file each. Room: passes. */
#ifndef HONE_PASSES_PASSES_H
#define HONE_PASSES_PASSES_H

#include "passes/pass.h"

extern const hone_pass hone_pass_propagate;   /* types, shape arithmetic, constants */
extern const hone_pass hone_pass_lower_einsum;  /* einsum as products, sums and transposes */
extern const hone_pass hone_pass_simplify;    /* algebra, views, casts, one node at a time */
extern const hone_pass hone_pass_settle;      /* simplify, and what only fits after the layout */
extern const hone_pass hone_pass_regions;     /* captures and known branches of control flow */
extern const hone_pass hone_pass_widen;       /* half floats are computed in f32 */
extern const hone_pass hone_pass_recurrent;   /* loops that are lstm, gru or rnn */
extern const hone_pass hone_pass_recognise;   /* many ops that spell one */
extern const hone_pass hone_pass_merge_equal; /* equal nodes become one */
extern const hone_pass hone_pass_dead_code;   /* what nothing uses */
extern const hone_pass hone_pass_layout;      /* transposes sink, meet and vanish */
extern const hone_pass hone_pass_integers;    /* products of quantised operands in integers */
extern const hone_pass hone_pass_byte_tables; /* functions of a byte as tables */
extern const hone_pass hone_pass_fold_affine; /* scales and biases into weights */
extern const hone_pass hone_pass_patches;     /* windows side by side are rows of a product */
extern const hone_pass hone_pass_hoist_slices; /* rows that nothing reads are not computed */
extern const hone_pass hone_pass_add_to_parts; /* a constant added to what is joined */
extern const hone_pass hone_pass_lead_rows;    /* a class token, with the product it stands before */
extern const hone_pass hone_pass_merge_siblings; /* products that read one tensor */
extern const hone_pass hone_pass_precision;   /* what a layer computes in */
extern const hone_pass hone_pass_narrow;      /* what values and products are on a device */
extern const hone_pass hone_pass_split_products; /* factors and biases that no kernel takes */
extern const hone_pass hone_pass_lower_quantize; /* quantisation as pointwise nodes */
extern const hone_pass hone_pass_place;       /* host or device */
extern const hone_pass hone_pass_store;       /* what lies between two layers */
extern const hone_pass hone_pass_exact;       /* fp32-strict: no algorithm that transforms */
extern const hone_pass hone_pass_fuse_groups; /* device nodes into groups */

#endif
