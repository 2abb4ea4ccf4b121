/* Reading the library's JSON reports. */
#include "report.h"

#include <stdio.h>

const char *report_text(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : "";
}

double report_number(const json_t *object, const char *key) {
  return json_number_value(json_object_get(object, key));
}

const char *report_join(const json_t *list, const char *between, char *buffer, size_t room) {
  size_t index, at = 0;
  json_t *item;
  *buffer = 0;
  json_array_foreach(list, index, item) {
    if (at < room)
      at += (size_t)snprintf(buffer + at, room - at, "%s%s", index ? between : "",
                             json_string_value(item));
  }
  return buffer;
}
