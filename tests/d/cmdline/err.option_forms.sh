# Values that an option cannot have: the range, or the forms, are told.
# @exit: 1
for x in strsize=1m stackframes=0 version=99.9 bufresize=foo amin=foo tree=2; do
	dtrace -x $x -n BEGIN && exit 0
done
exec dtrace -X q -n BEGIN
