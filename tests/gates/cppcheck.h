/* Macros of others that cppcheck must know, because it is not shown their headers. It alone reads this. */
#define json_array_foreach(array, index, value) for ((index) = 0; (value) = json_array_get(array, index); (index)++)
#define json_object_foreach(object, key, value) for ((key) = json_key_first(object); ((value) = json_key_value(object, key)); (key) = json_key_next(object, key))
#define json_object_foreach_safe(object, next, key, value) for ((key) = json_key_first(object); ((value) = json_key_value(object, key)); (key) = (next))
#define LIBBPF_OPTS(type, name, ...) struct type name = { __VA_ARGS__ }
