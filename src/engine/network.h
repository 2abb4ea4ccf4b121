/* Networks under construction, and the layer that a call adds. Room: engine.
 *
 * A layer is one node or a few. Its first failure is remembered and what follows does nothing, so
 * that compositions read as formulas; hone_layer_end reports it, after taking the nodes away. */
#ifndef HONE_ENGINE_NETWORK_H
#define HONE_ENGINE_NETWORK_H

#include <hone/network.h>

#include "engine/engine.h"

struct hone_network {
  hone_graph *graph;    /* NULL once finished */
  hone_network *outer;  /* of a body: the network around it; NULL for the root */
  hone_network *bodies; /* of the root: all of them, newest first */
  hone_network *next;   /* of a body: the one made before */
  hone_node *owner;     /* of a body: its if or loop */
  int first_capture;    /* of a body: the owner's first input that is captured */
  int region_offset;    /* of a body: its input for the owner's input 0 */
  bool closed;
  bool changing; /* of a loop's body: carried values change their sizes */
};

typedef struct hone_layer {
  hone_network *network;
  const char *name;
  hone_node *before; /* the last node that was there */
  bool open;         /* the network takes layers */
  hone_status *status;
} hone_layer;

hone_layer hone_layer_begin(hone_network *network, const char *name);
/* Remembers a failure. */
void hone_layer_keep(hone_layer *layer, hone_status *status);
/* A value as this network sees it: captured where it is of one around; NULL stays NULL. */
hone_value *hone_layer_value(hone_layer *layer, hone_value *value);
/* A node of `op`, its inputs of this network or one around; NULL after a failure, which all that
 * follows takes. Trailing absent inputs are cut. */
hone_node *hone_layer_node(hone_layer *layer, const char *op, hone_value *const *inputs,
                           size_t input_count, size_t output_count);
void hone_layer_attributes(hone_layer *layer, hone_node *node, const char *text);
/* Checks the node, infers its types; gives output 0, NULL after a failure. */
hone_value *hone_layer_infer(hone_layer *layer, hone_node *node);
/* s64 [count]; NULL for `values` NULL. */
hone_value *hone_layer_ints(hone_layer *layer, const int64_t *values, size_t count);
/* A whole node of one output. */
hone_value *hone_layer_op(hone_layer *layer, const char *op, hone_value *const *inputs,
                          size_t input_count, const char *attributes);
/* The layer's failure, named after it, its nodes taken away; NULL where there was none. */
HONE_MUST_USE hone_status *hone_layer_end(hone_layer *layer);
/* Names the values that the layer gives, hands out those whose place in `outputs` is not NULL, and
 * ends it. */
HONE_MUST_USE hone_status *hone_layer_give(hone_layer *layer, hone_value *const *values,
                                           hone_value **const *outputs, size_t count);
/* The same for all outputs of a node, which is looked at only where nothing failed. */
HONE_MUST_USE hone_status *hone_layer_give_node(hone_layer *layer, const hone_node *node,
                                                hone_value **outputs);

#define HONE_LAYER_OP(layer, op, attributes, ...)                  \
  hone_layer_op((layer), (op), (hone_value *const[]){__VA_ARGS__}, \
                sizeof((hone_value *const[]){__VA_ARGS__}) / sizeof(hone_value *), (attributes))

#endif
