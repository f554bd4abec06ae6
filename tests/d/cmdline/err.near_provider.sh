# A provider misspelt, a probe's own name by another word, a provider that is none: what was meant, or what there is.
# @needs: root syscall
# @exit: 1
dtrace -n syscal::read:entry 2>&1 | grep help
dtrace -n syscall::lseek:enter 2>&1 | grep help
dtrace -n pid1:::entry 2>&1 | grep note
exec dtrace -lP nope > /dev/null
