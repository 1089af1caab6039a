/* A typed line as words: between blanks, or in double quotes. */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

size_t ctl_split(char *line, const char **words, size_t max)
{
    size_t count = 0;
    char *at = line;
    while (count < max) {
        at += strspn(at, " \t\r\n");
        if (*at == '\0')
            break;
        bool quoted = *at == '"';
        at += quoted;
        words[count++] = at;
        at += quoted ? strcspn(at, "\"") : strcspn(at, " \t\r\n");
        if (*at == '\0')
            break;
        *at++ = '\0';
    }
    return count;
}
