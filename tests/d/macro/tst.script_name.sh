# $0 is the script's name.
# @needs: root
printf 'BEGIN { printf("%%s\\n", $$0); exit(0); }\n' > named.d
exec dtrace -q -s named.d
