// Opens the confirmation of the kill switch that every admin page carries.
document.addEventListener('DOMContentLoaded', () => {
  const dialog = document.getElementById('desk-halt-dialog');
  if (!dialog) return;
  document.getElementById('desk-halt').onclick = () => dialog.showModal();
  document.getElementById('desk-halt-back').onclick = () => dialog.close();
});
