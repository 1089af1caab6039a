/* The HTTP server: libmicrohttpd without threads of its own, turned by the control thread. Nothing here waits for a
 * client. One that opens connections without end fills CONNECTIONS_MAX, whoever comes then waits in the kernel's queue,
 * and those that say nothing for IDLE_S are closed: after a thousand idle connections a scrape is late by some seconds. */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "metrics_private.h"
#include "status_page.h"

enum { CONNECTIONS_MAX = 256, CONNECTION_BYTES = 8 << 10, IDLE_S = 3, BACKLOG = 64 };

struct vx_metrics_server {
    struct vx_metrics_config config;
    struct MHD_Daemon *daemon;
    int listener; /* -1: none, or the daemon's */
};

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type, struct MHD_Response *response)
{
    if (response == NULL)
        return MHD_NO; /* closes the connection */
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    (void)MHD_add_response_header(response, "Content-Security-Policy", "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result answer_fixed(struct MHD_Connection *connection, unsigned status, const char *type, const void *bytes, size_t count)
{
    return answer(connection, status, type, MHD_create_response_from_buffer(count, (void *)(uintptr_t)bytes, MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result answer_words(struct MHD_Connection *connection, unsigned status, const char *words)
{
    return answer_fixed(connection, status, "text/plain; charset=utf-8", words, strlen(words));
}

/* Takes text. */
static enum MHD_Result answer_made(struct MHD_Connection *connection, const char *type, char *text, size_t bytes)
{
    if (text == NULL)
        return answer_words(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory\n");
    struct MHD_Response *response = MHD_create_response_from_buffer(bytes, text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        free(text);
    return answer(connection, MHD_HTTP_OK, type, response);
}

static enum MHD_Result page_root(const struct vx_metrics_server *server, struct MHD_Connection *connection)
{
    (void)server;
    return answer_fixed(connection, MHD_HTTP_OK, "text/html; charset=utf-8", status_page, sizeof(status_page));
}

static enum MHD_Result page_status(const struct vx_metrics_server *server, struct MHD_Connection *connection)
{
    char *text = server->config.status(server->config.source.context);
    return answer_made(connection, "application/json", text, text != NULL ? strlen(text) : 0);
}

static enum MHD_Result page_metrics(const struct vx_metrics_server *server, struct MHD_Connection *connection)
{
    size_t bytes = 0;
    char *text = vx_metrics_text(&server->config.source, &bytes);
    return answer_made(connection, "text/plain; version=0.0.4; charset=utf-8", text, bytes);
}

static const struct {
    const char *path;
    enum MHD_Result (*serve)(const struct vx_metrics_server *server, struct MHD_Connection *connection);
} pages[] = { { "/", page_root }, { "/status.json", page_status }, { "/metrics", page_metrics } };

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method, const char *version, const char *upload,
                                  size_t *upload_bytes, void **seen)
{
    (void)version, (void)upload;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_words(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n"); /* what the body would be is not read */
    if (*seen == NULL) { /* the headers are here; a body, if there is one, is passed over */
        *seen = context;
        return MHD_YES;
    }
    if (*upload_bytes > 0) {
        *upload_bytes = 0;
        return MHD_YES;
    }
    for (unsigned i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
        if (strcmp(url, pages[i].path) == 0)
            return pages[i].serve(context, connection);
    return answer_words(connection, MHD_HTTP_NOT_FOUND, "nothing here; there are / and /metrics\n");
}

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* 0 where the text is no address, or its length. */
static socklen_t address_read(const struct vx_metrics_config *config, union address *address)
{
    memset(address, 0, sizeof(*address));
    if (inet_pton(AF_INET, config->address, &address->v4.sin_addr) == 1) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons(config->port);
        return sizeof(address->v4);
    }
    if (inet_pton(AF_INET6, config->address, &address->v6.sin6_addr) != 1)
        return 0;
    address->v6.sin6_family = AF_INET6;
    address->v6.sin6_port = htons(config->port);
    return sizeof(address->v6);
}

/* The listening socket is ours, so that what is wrong with it can be said in the kernel's words. */
static int listen_at(struct vx_metrics_server *server, struct vx_error *error)
{
    const struct vx_metrics_config *config = &server->config;
    union address address;
    socklen_t bytes = address_read(config, &address);
    int yes = 1;
    if (bytes == 0)
        return vx_error_set(error, -EINVAL, "metrics.address: \"%s\" is neither an IPv4 nor an IPv6 address", config->address);
    server->listener = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->listener < 0)
        return vx_error_set(error, -errno, "metrics.address: no socket for %s: %s", config->address, strerror(errno));
    (void)setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)); /* a port whose last connections are closing */
    if (bind(server->listener, &address.any, bytes) == 0 && listen(server->listener, BACKLOG) == 0)
        return 0;
    int reason = errno;
    return vx_error_set(error, -reason, "metrics.port: cannot listen on %s port %u: %s%s", config->address, config->port, strerror(reason),
                        reason == EADDRINUSE ? " (another port, or 0 for none)" : "");
}

int vx_metrics_open(const struct vx_metrics_config *config, struct vx_metrics_server **server, struct vx_error *error)
{
    struct vx_metrics_server *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return vx_error_set(error, -ENOMEM, "metrics.port: no memory");
    made->config = *config;
    made->listener = -1;
    int rc = listen_at(made, error);
    if (rc == 0) {
        made->daemon = MHD_start_daemon(MHD_USE_EPOLL, config->port, NULL, NULL, on_request, made, MHD_OPTION_LISTEN_SOCKET, made->listener, MHD_OPTION_CONNECTION_LIMIT,
                                        (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
                                        MHD_OPTION_END);
        if (made->daemon == NULL)
            rc = vx_error_set(error, -ENOMEM, "metrics.port: libmicrohttpd does not start");
    }
    if (rc != 0)
        vx_metrics_close(made);
    else
        *server = made;
    return rc;
}

void vx_metrics_poll(struct vx_metrics_server *server)
{
    (void)MHD_run(server->daemon);
}

void vx_metrics_close(struct vx_metrics_server *server)
{
    if (server->daemon != NULL)
        MHD_stop_daemon(server->daemon); /* closes the listener, too */
    else if (server->listener >= 0)
        (void)close(server->listener);
    free(server);
}
