#!/bin/sh
#
# Who may include whom: the table of the project's layers. A folder includes
# itself, what stands beside it here, and libraries only where it alone speaks
# to them. Prints TAP.

cd "${top_srcdir:?}" || exit 99

# Folder: the folders it may include besides itself. "a/b.h" is that file only.
allowed_folders() {
	case $1 in
	base) echo '' ;;
	json) echo 'base' ;;
	settings | store | docker | proxy | system | archive)
		echo 'base json' ;;
	# Every request is authenticated against keys and settings.
	http) echo 'base json settings store app.h' ;;
	compose | infrastructure | databases) echo 'base json docker' ;;
	# A template is on record, and checked as the deployment that it becomes.
	templates) echo 'base json archive compose store/templates.h' ;;
	certificates) echo 'base json store proxy' ;;
	jobs) echo 'base json store' ;;
	agent)
		echo 'base json settings store archive docker compose proxy' \
			'templates' \
			'certificates databases infrastructure system' \
			'jobs/files.h jobs/protocol.h jobs/heartbeat.h'
		;;
	admin) echo 'base json settings store' ;;
	handlers)
		echo 'base json http jobs store docker compose templates' \
			'settings app.h'
		;;
	main) echo '*' ;;
	*) echo 'base json' ;;
	esac
}

# Library header: the folders that speak to the library. "*" is any folder
# but base, which knows libc alone.
users_of_library() {
	case $1 in
	sqlite3.h) echo 'store' ;;
	curl/*) echo 'docker agent templates' ;;
	archive.h | archive_entry.h) echo 'archive' ;;
	yaml.h) echo 'compose templates settings' ;;
	fcgiapp.h | jwt.h) echo 'http' ;;
	fcgi_stdio.h) echo 'nobody' ;;
	mysql.h | mysql/* | mariadb/* | libpq-fe.h) echo 'databases' ;;
	json-c/* | json.h | openssl/*) echo '*' ;;
	*) echo 'anybody' ;;
	esac
}

has_word() {
	case " $1 " in
	*" $2 "*) return 0 ;;
	esac
	return 1
}

folder_of() {
	case $1 in
	handlers/*) echo handlers ;;
	fcgi-app/*/*) path=${1#fcgi-app/}; echo "${path%%/*}" ;;
	*) echo main ;;
	esac
}

check_own() { # FOLDER INCLUDED
	case $2 in
	config.h) return 0 ;;
	"$1"/*)
		# Handlers share a header, never each other's code.
		[ "$1" != handlers ] || case $2 in
		handlers/change.h | handlers/deployments.h | \
			handlers/findings.h | handlers/generation.h | \
			handlers/listing.h | handlers/logs.h | \
			handlers/rendering.h | handlers/routes.h | \
			handlers/subjects.h | handlers/uploads.h) ;;
		*) false ;;
		esac
		return
		;;
	esac
	allowed=$(allowed_folders "$1")
	[ "$allowed" != '*' ] || return 0
	has_word "$allowed" "$2" || has_word "$allowed" "${2%%/*}"
}

check_library() { # FOLDER INCLUDED
	users=$(users_of_library "$2")
	case $users in
	anybody) return 0 ;;
	'*') [ "$1" != base ] ;;
	*) has_word "$users" "$1" ;;
	esac
}

# Lines "FILE:NUMBER kind NAME" of one file.
includes_of() {
	sed -n -e 's/^[ \t]*#[ \t]*include[ \t]*"\([^"]*\)".*/own \1/p' \
		-e 's/^[ \t]*#[ \t]*include[ \t]*<\([^>]*\)>.*/library \1/p' "$1"
}

# What the files of a folder include and may not, as "FILE NAME" lines.
wrong_of() {
	find fcgi-app handlers -name '*.[ch]' | LC_ALL=C sort |
		while read -r file; do
			[ "$(folder_of "$file")" = "$1" ] || continue
			includes_of "$file" | while read -r kind name; do
				"check_$kind" "$1" "$name" || echo "$file $name"
			done
		done
}

folders=$(find fcgi-app handlers -name '*.[ch]' | while read -r file; do
	folder_of "$file"
done | LC_ALL=C sort -u)

number=0
for folder in $folders; do
	wrong=$(wrong_of "$folder")
	number=$((number + 1))
	if [ -z "$wrong" ]; then
		echo "ok $number - $folder includes what it may"
	else
		echo "not ok $number - $folder includes what it may"
		printf '%s\n' "$wrong" | sed 's/^/# /'
	fi
done
echo "1..$number"
