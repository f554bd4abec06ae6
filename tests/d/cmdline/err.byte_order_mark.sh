# What some editors put before a script has a name.
# @needs: root
# @exit: 1
printf '\357\273\277BEGIN { exit(0); }\n' > bom.d
exec dtrace -s bom.d
