/*
 * web.h - the page and the OpenAPI document (docs/openapi.json), made into
 * arrays at build time (cmake/Embed.cmake).
 */
#ifndef SRV_WEB_WEB_H
#define SRV_WEB_WEB_H

#include <stddef.h>

extern const unsigned char srv_web_index[];
extern const size_t srv_web_index_bytes;
extern const unsigned char srv_web_openapi[];
extern const size_t srv_web_openapi_bytes;

#endif
