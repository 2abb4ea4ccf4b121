/* What the host integration of TensorFlow asks beside the rest of the interface. */
#ifndef HONE_TENSORFLOW_H
#define HONE_TENSORFLOW_H

#include <hone/hone.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which nodes of a GraphDef can run on engines: JSON
 *   {"segments": [["node", …], …], "native": [{"node": …, "op": …, "reason": …}, …]}
 * A segment hangs together and no way leads out of it and back in. Constants stand in no list: they
 * go with whoever uses them. Nodes may carry the attributes _output_types (list of types) and
 * _output_shapes, with an entry an output: what is known of the results of nodes that stay native.
 * `denied`: operators to leave native, separated by commas; may be NULL. Free `out` with
 * hone_text_release. */
HONE_API hone_status *hone_graph_def_segments(hone_bytes graph_def, const char *denied, char **out);

#ifdef __cplusplus
}
#endif
#endif
