import io from 'socket.io-client';

// Connect with client token
const socket = io('https://backend-url', {
  auth: { token: localStorage.getItem('client_token') }
});

// Handle events
socket.on('connected', (data) => {
  console.log('Connected as:', data.clientId);
});

socket.on('area_updated', (data) => {
  console.log('Area updated:', data.name);
  // Refresh areas in UI
  refreshAreas();
});

socket.on('area_enabled', (data) => {
  console.log('Area enabled:', data.name);
  // Update UI to show area is active
  enableAreaInUI(data.areaId);
});

socket.on('token_revoked', (data) => {
  alert(data.message);
  // Clear token and redirect to pairing
  localStorage.removeItem('client_token');
  window.location.href = '/pairing';
});
