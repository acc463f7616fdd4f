# Macros of this project's configure.ac.

# FLATRUN_OPTIONS: --enable-sanitizers, --enable-fuzzing, --enable-werror.
AC_DEFUN([FLATRUN_OPTIONS], [
AC_ARG_ENABLE([sanitizers], [AS_HELP_STRING([--enable-sanitizers],
    [build with AddressSanitizer and UndefinedBehaviorSanitizer])],
    [], [enable_sanitizers=no])
AC_ARG_ENABLE([fuzzing], [AS_HELP_STRING([--enable-fuzzing],
    [build the libFuzzer targets (needs clang; implies the sanitizers)])],
    [], [enable_fuzzing=no])
AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror],
    [make warnings errors])], [], [enable_werror=no])
])

# FLATRUN_COMPILER_FLAGS: sets PROJECT_CFLAGS and PROJECT_LDFLAGS.
AC_DEFUN([FLATRUN_COMPILER_FLAGS], [
PROJECT_CFLAGS="-std=gnu11 -pthread -Wall -Wextra -Wshadow -Wformat=2 -Wstrict-prototypes -Wvla -Wwrite-strings -Wundef -Wno-missing-field-initializers -fstack-protector-strong -fPIE"
PROJECT_LDFLAGS="-pthread -pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed"
AS_IF([test "x$enable_werror" = xyes],
    [PROJECT_CFLAGS="$PROJECT_CFLAGS -Werror"])
AS_IF([test "x$enable_fuzzing" = xyes], [
    PROJECT_CFLAGS="$PROJECT_CFLAGS -fsanitize=fuzzer-no-link"
    enable_sanitizers=yes])
AS_IF([test "x$enable_sanitizers" = xyes], [
    PROJECT_CFLAGS="$PROJECT_CFLAGS -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"
    PROJECT_LDFLAGS="$PROJECT_LDFLAGS -fsanitize=address,undefined"
], [
    # Fortify hides errors from AddressSanitizer and needs optimisation.
    AS_CASE([" $CFLAGS "], [*" -O0 "*], [],
        [PROJECT_CFLAGS="$PROJECT_CFLAGS -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-clash-protection"])])
AC_SUBST([PROJECT_CFLAGS])
AC_SUBST([PROJECT_LDFLAGS])
])

# FLATRUN_LIBRARY(PREFIX, MODULE, DEBIAN-PACKAGE): a library that must be there.
AC_DEFUN([FLATRUN_LIBRARY], [
PKG_CHECK_MODULES([$1], [$2], [], [
    AC_MSG_RESULT([no])
    missing_libraries="$missing_libraries
  $2 (Debian package $3)"])
])

# FLATRUN_OPTIONAL_LIBRARY(PREFIX, MODULE, DEBIAN-PACKAGE): sets have_PREFIX.
AC_DEFUN([FLATRUN_OPTIONAL_LIBRARY], [
PKG_CHECK_MODULES([$1], [$2], [have_$1=yes], [
    have_$1=no
    AC_MSG_WARN([$2 is not there (Debian package $3): make check cannot run])])
])

# FLATRUN_FCGI: libfcgi, whose pkg-config file names its C++ library too.
AC_DEFUN([FLATRUN_FCGI], [
AC_CHECK_HEADER([fcgiapp.h], [have_fcgi=yes], [have_fcgi=no])
AS_IF([test $have_fcgi = yes], [
    AC_CHECK_LIB([fcgi], [FCGX_Accept_r], [FCGI_LIBS=-lfcgi], [have_fcgi=no])])
AS_IF([test $have_fcgi = no], [missing_libraries="$missing_libraries
  libfcgi (Debian package libfcgi-dev)"])
AC_SUBST([FCGI_LIBS])
])

AC_DEFUN([FLATRUN_MISSING_LIBRARIES], [
AS_IF([test -n "$missing_libraries"],
    [AC_MSG_ERROR([these libraries are missing:$missing_libraries])])
])

# FLATRUN_BUILD_FACTS: when, and from which commit; SOURCE_DATE_EPOCH counts.
AC_DEFUN([FLATRUN_BUILD_FACTS], [
build_time=`date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" +%Y-%m-%dT%H:%M:%SZ`
git_commit=`cd "$srcdir" && git rev-parse --short=12 HEAD 2>/dev/null`
AC_DEFINE_UNQUOTED([BUILD_TIME], ["$build_time"], [When it was configured.])
AC_DEFINE_UNQUOTED([GIT_COMMIT], ["$git_commit"], [The commit, or "".])
])
