/* Reading the library's JSON reports. */
#ifndef HONE_COMMAND_REPORT_H
#define HONE_COMMAND_REPORT_H

#include <jansson.h>

/* A member of an object; "" and 0 where it is not there or of another kind. Lent. */
const char *report_text(const json_t *object, const char *key);
double report_number(const json_t *object, const char *key);
/* The texts of a list with `between` between them, cut to fit `buffer`, which is returned. */
const char *report_join(const json_t *list, const char *between, char *buffer, size_t room);

#endif
