# The triggering process' pages are found by its page tables and by their class, and are copied once.
# @where: guest
# @needs: root
# @timeout: 300
lkd selftest freeze 3 --work copy --type user --buffer 400 --max-pause 5000 > told || { cat told; exit 1; }
sed -n 's/^at most [0-9]* pages, [1-9][0-9]* MB, \([0-9]* of them copied twice\)$/\1/p' told
