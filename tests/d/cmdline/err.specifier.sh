# Messages about the command line's texts: the specifier, the part of the clause, the drawn place.
# @needs: root
# @exit: 1
exec dtrace -n 'BEGIN { foo(); }'
