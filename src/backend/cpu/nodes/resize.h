/* What the rows of resize share. Room: backend/cpu/nodes. */
#ifndef HONE_BACKEND_CPU_NODES_RESIZE_H
#define HONE_BACKEND_CPU_NODES_RESIZE_H

#include "backend/cpu/nodes/node.h"
#include "ops/resize.h"

/* The axes of a node whose sizes are known; UNSUPPORTED where they are not. */
hone_status *hone_resize_of(const hone_node_view *view, hone_resize *out);

#endif
