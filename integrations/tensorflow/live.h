/* Engines made where they run, for graphs that nobody converted: from the segment that a node
 * carries and the weights that it is given, at the first call.
 *
 * A node's engine is then text, one line each, and a GraphDef after an empty line:
 *
 *   HONE SEGMENT
 *   inputs=in_0=x,in_1=y                 the options that name what it is fed, by the node's input,
 *   outputs=out_0=relu,out_1=split:1     and gives
 *   weights=1,2,5                        inputs that are weights; there may be none
 *
 * Weights are known by where they lie: the
 * version of the engine that has packed a buffer keeps a reference to it, and whoever changes a
 * variable writes into a buffer only while nobody else refers to it. So a buffer that is where it
 * was has what it had. When weights are elsewhere the call runs natively; once they stay, an engine
 * with the same kernels is packed from them, outside of calls.
 */
#ifndef HONE_TENSORFLOW_LIVE_H
#define HONE_TENSORFLOW_LIVE_H

#include <hone/hone.h>

#include "live_segment.h"
#include "op.h"
#include "tf_api.h"

typedef struct hone_live hone_live;

/* `text`, a segment's, must outlive it. `values`, `outputs`: how many inputs and outputs the node
 * has. */
hone_status *hone_live_new(hone_bytes text, const char *node, int values, int outputs,
                           hone_live **out);
/* Waits for packing under way. */
void hone_live_free(hone_live *live);

/* Runs the call on an engine; false where it is to run natively. The first call builds the engine and
 * tries it against the segment: one that is slower, or gives something else, is not used. */
bool hone_live_run(hone_live *live, TF_OpKernelContext *context, bool *published);
/* The segment, lent. */
hone_native *hone_live_native(const hone_live *live);

#endif
