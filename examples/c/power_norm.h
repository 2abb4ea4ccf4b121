/* com.example/PowerNorm: an operator of our own, for own_op.c and as a plugin. */
#ifndef POWER_NORM_H
#define POWER_NORM_H

#include <hone/op.h>

/* Registers the op; also what hone_plugin_load calls. */
__attribute__((visibility("default"))) hone_status *hone_plugin(void);

#endif
