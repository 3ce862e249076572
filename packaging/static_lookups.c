/*
 * Linked into the static program only. For each module that /etc/nsswitch.conf names, a static glibc
 * loads a shared library of the host, and aborts if the host has another release of glibc. The
 * modules "files" and "dns" are part of the static glibc, so host names are found only with them.
 */

#include <nss.h>

__attribute__((constructor)) static void use_built_in_modules(void)
{
    __nss_configure_lookup("hosts", "files dns");
}
